#include "engine/store/cid_map.h"

#include "kernels/sha256/sha256.h"

namespace piecework::engine {

CidMap::Slot CidMap::slot_of(ByteSpan cid) {
  const Digest32 digest = kernels::sha256(cid);
  Slot slot;
  std::memcpy(slot.key, digest.data(), sizeof slot.key);
  return slot;
}

std::optional<uint64_t> CidMap::find(ByteSpan cid) const {
  const Slot* found = slots_.size() == 0 ? nullptr : slots_.find(slot_of(cid));
  if (found == nullptr) return std::nullopt;
  return found->value_plus_one - 1;
}

bool CidMap::add(ByteSpan cid, uint64_t value) {
  Slot slot = slot_of(cid);
  slot.value_plus_one = value + 1;
  return slots_.insert(slot).second;
}

}  // namespace piecework::engine
