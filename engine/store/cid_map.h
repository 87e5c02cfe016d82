// A set of CIDs with a number each, for millions of blocks: 32 bytes a slot.
//
// Keys are the first 24 bytes of the SHA-256 of the whole CID. Two CIDs with one key would take 2^96 tries to find, and
// the second of them would be left out of a piece, which verify reports: nothing else could come of it.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>

#include "engine/memory/spill_map.h"
#include "kernels/base/bytes.h"

namespace piecework::engine {

// Thread-compatible; const members are safe for concurrent use.
class CidMap {
 public:
  // `source` (null: just memory) outlives the map.
  explicit CidMap(PageSource* source = nullptr) : slots_(source) {}

  // The number that `cid` was added with, or none.
  std::optional<uint64_t> find(ByteSpan cid) const;
  // False where it was there already; the number then stays. REQUIRES: value < 2^64 - 1.
  bool add(ByteSpan cid, uint64_t value);
  // Adds what `other` holds.
  void merge(const CidMap& other) { slots_.merge(other.slots_); }
  void clear() { slots_.clear(); }
  size_t size() const { return slots_.size(); }

 private:
  struct Slot {
    bool is_empty() const { return value_plus_one == 0; }
    uint64_t hash() const { return key[0]; }
    bool has_key_of(const Slot& other) const { return std::memcmp(key, other.key, sizeof key) == 0; }

    uint64_t key[3] = {};
    uint64_t value_plus_one = 0;
  };
  static_assert(sizeof(Slot) == 32);

  static Slot slot_of(ByteSpan cid);

  SpillMap<Slot> slots_;
};

}  // namespace piecework::engine
