// A hash table whose memory a PageSource gives: open addressing, no pointers, for millions of entries.
//
// A slot's place comes from the high bits of its hash, so the order of slots is that of hashes and stays it when the
// table grows: growing walks old and new memory from front to back, whether or not they are in a file.
#pragma once

#include <algorithm>
#include <bit>
#include <utility>

#include "engine/memory/paged_vector.h"

namespace piecework::engine {

// A Slot is key and value; one that is value-initialised is empty. It has
//   bool is_empty() const; uint64_t hash() const, even in its high bits; bool has_key_of(const Slot&) const.
// Thread-compatible; const members are safe for concurrent use.
template <class Slot>
class SpillMap {
 public:
  // `source` (null: just memory) outlives the map.
  explicit SpillMap(PageSource* source = nullptr) : source_(source) {}

  size_t size() const { return size_; }
  // All of them, some empty.
  const SpillArray<Slot>& slots() const { return slots_; }

  // The slot with the key of `wanted`, or null.
  const Slot* find(const Slot& wanted) const {
    if (slots_.empty()) return nullptr;
    const Slot& found = slots_[place_of(wanted)];
    return found.is_empty() ? nullptr : &found;
  }
  // The slot with the key of `slot`, and whether it is new: else it keeps its value. It lives until the next insert().
  std::pair<Slot&, bool> insert(const Slot& slot) {
    reserve(size_ + 1);
    Slot& place = slots_[place_of(slot)];
    const bool is_new = place.is_empty();
    if (is_new) {
      place = slot;
      ++size_;
    }
    return {place, is_new};
  }
  // Inserts what `other` holds.
  void merge(const SpillMap& other) {
    reserve(size_ + other.size_);  // at once: slots come in order, and would crowd the front of a smaller table
    for (const Slot& slot : other.slots_) {
      if (!slot.is_empty()) insert(slot);
    }
  }
  void clear() {
    slots_ = {};
    size_ = 0;
  }

 private:
  static constexpr size_t kSlotsMin = 16;

  // The slot's own place, or the empty one where it belongs. REQUIRES: some slot is empty.
  size_t place_of(const Slot& slot) const {
    const size_t mask = slots_.size() - 1;
    size_t place = static_cast<size_t>(slot.hash() >> (64 - std::bit_width(mask)));
    while (!slots_[place].is_empty() && !slots_[place].has_key_of(slot)) place = (place + 1) & mask;
    return place;
  }

  // Room for `size` entries: three quarters of the slots are used at most.
  void reserve(size_t size) {
    if (size * 4 <= slots_.size() * 3) return;
    SpillArray<Slot> old(source_, std::max(kSlotsMin, std::bit_ceil(size + size / 3 + 1)),
                         PageSource::Access::kScattered);
    std::swap(old, slots_);
    for (const Slot& slot : old) {
      if (!slot.is_empty()) slots_[place_of(slot)] = slot;
    }
  }

  PageSource* source_;
  SpillArray<Slot> slots_;
  size_t size_ = 0;
};

}  // namespace piecework::engine
