// A set of CIDs that is filled once and then asked, for hundreds of millions of blocks: 25 bytes each, and no more
// while it is filled.
//
// Keys are the first 24 bytes of the SHA-256 of the whole CID, as in cid_map.h. They are sorted when the set is full.
#pragma once

#include <array>
#include <cstdint>
#include <deque>

#include "kernels/base/bytes.h"

namespace piecework::engine {

// Thread-compatible; const members are safe for concurrent use.
class CidSet {
 public:
  // A CID may be added more than once. REQUIRES: the set is not sealed.
  void add(ByteSpan cid);
  // From here on the set can be asked.
  void seal();
  // REQUIRES: the set is sealed.
  bool contains(ByteSpan cid) const;
  // Of a sealed set: how many CIDs it has.
  size_t size() const { return keys_.size(); }

 private:
  using Key = std::array<uint64_t, 3>;
  static_assert(sizeof(Key) == 24);

  static Key key_of(ByteSpan cid);

  std::deque<Key> keys_;  // grows without a copy of what is there
  bool is_sealed_ = false;
};

}  // namespace piecework::engine
