// A set of CIDs with a number each, for millions of blocks: 32 bytes a slot, open addressing, no pointers.
//
// Keys are the first 24 bytes of the SHA-256 of the whole CID. Two CIDs with one key would take 2^96 tries to find, and
// the second of them would be left out of a piece, which verify reports: nothing else could come of it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/base/bytes.h"

namespace piecework::engine {

// Thread-compatible.
class CidMap {
 public:
  // The number that `cid` was added with, or none.
  std::optional<uint64_t> find(ByteSpan cid) const;
  // False where it was there already; the number then stays. REQUIRES: value < 2^64 - 1.
  bool add(ByteSpan cid, uint64_t value);
  // Adds what `other` holds.
  void merge(const CidMap& other);
  void clear();
  size_t size() const { return size_; }

 private:
  struct Slot {
    uint64_t key[3] = {};
    uint64_t value_plus_one = 0;  // 0: empty
  };
  static_assert(sizeof(Slot) == 32);

  static Slot slot_of(ByteSpan cid);
  size_t place_of(const Slot& slot) const;
  bool insert(const Slot& slot);
  void grow();

  std::vector<Slot> slots_;
  size_t size_ = 0;
};

}  // namespace piecework::engine
