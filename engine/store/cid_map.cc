#include "engine/store/cid_map.h"

#include <cstring>

#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

constexpr size_t kSlotsMin = 1024;

}  // namespace

CidMap::Slot CidMap::slot_of(ByteSpan cid) {
  const Digest32 digest = kernels::sha256(cid);
  Slot slot;
  std::memcpy(slot.key, digest.data(), sizeof slot.key);
  return slot;
}

// The slot's own place, or the empty one where it belongs. REQUIRES: some slot is empty.
size_t CidMap::place_of(const Slot& slot) const {
  const size_t mask = slots_.size() - 1;
  size_t place = slot.key[0] & mask;
  while (slots_[place].value_plus_one != 0 && std::memcmp(slots_[place].key, slot.key, sizeof slot.key) != 0) {
    place = (place + 1) & mask;
  }
  return place;
}

std::optional<uint64_t> CidMap::find(ByteSpan cid) const {
  if (slots_.empty()) return std::nullopt;
  const Slot& found = slots_[place_of(slot_of(cid))];
  if (found.value_plus_one == 0) return std::nullopt;
  return found.value_plus_one - 1;
}

bool CidMap::insert(const Slot& slot) {
  if (size_ * 4 >= slots_.size() * 3) grow();
  Slot& place = slots_[place_of(slot)];
  if (place.value_plus_one != 0) return false;
  place = slot;
  ++size_;
  return true;
}

bool CidMap::add(ByteSpan cid, uint64_t value) {
  Slot slot = slot_of(cid);
  slot.value_plus_one = value + 1;
  return insert(slot);
}

void CidMap::merge(const CidMap& other) {
  for (const Slot& slot : other.slots_) {
    if (slot.value_plus_one != 0) insert(slot);
  }
}

void CidMap::clear() {
  slots_.clear();
  size_ = 0;
}

void CidMap::grow() {
  std::vector<Slot> old(slots_.empty() ? kSlotsMin : 2 * slots_.size());
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.value_plus_one != 0) slots_[place_of(slot)] = slot;
  }
}

}  // namespace piecework::engine
