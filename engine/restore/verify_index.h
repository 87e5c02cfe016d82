// The blocks of a CAR by CID: 32 bytes for each, whatever its size.
//
// A block's key is the first half of SHA-256 over its whole CID, so a CAR cannot be made whose missing block looks like
// one that is there (a fast hash could be forged). Entries are collected, then sorted once; keys are spread evenly, so
// interpolation finds one in a step or two, without the empty room of a hash table.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/codec/cid.h"
#include "kernels/base/error.h"

namespace piecework::engine {

enum class BlockKind : uint8_t {
  kRaw,   // raw codec: content of a file
  kFile,  // UnixFS File or Raw
  kDirectory,
  kHamtShard,
  kSymlink,
  kOtherNode,     // dag-pb that is not UnixFS, or UnixFS Metadata
  kLinkedData,    // dag-cbor, dag-json: links without names
  kUnknownCodec,  // opaque: links, if any, are not followed
  kBroken,        // could not be decoded; reported already
};

struct BlockKey {
  uint64_t high = 0;
  uint64_t low = 0;
  friend auto operator<=>(const BlockKey&, const BlockKey&) = default;
};
BlockKey block_key(ByteSpan cid_bytes);

inline constexpr uint64_t kCarOffsetMax = (uint64_t{1} << 48) - 1;

struct BlockEntry {
  BlockKey key;
  uint64_t content_bytes = 0;      // of kRaw and kFile: bytes of the file below this node
  uint64_t offset_bytes : 48 = 0;  // of the section in the CAR
  uint64_t kind : 4 = 0;
  uint64_t fanout_bits : 4 = 0;  // of kHamtShard: bits of a name's hash for each level
  uint64_t has_links : 1 = 0;
  uint64_t is_visited : 1 = 0;  // by the walk

  BlockKind block_kind() const { return static_cast<BlockKind>(kind); }
};
static_assert(sizeof(BlockEntry) == 32, "the memory of verify is counted in these");

// Thread-compatible. Collect with append(), then sort() once, then find().
class BlockIndex {
 public:
  explicit BlockIndex(uint64_t memory_bytes_max) : entry_count_max_(memory_bytes_max / sizeof(BlockEntry)) {}

  // Errors: kResourceExhausted where the index would pass its memory; kUnsupported past 256 TiB of CAR.
  Status append(const BlockEntry& entry);
  // Of sections with the same CID the first in the CAR stays. Returns how many were dropped.
  uint64_t sort();
  // nullptr where there is none. REQUIRES: sorted.
  BlockEntry* find(const BlockKey& key);

  size_t entry_count() const { return entries_.size(); }

 private:
  std::vector<BlockEntry> entries_;
  uint64_t entry_count_max_;
};

}  // namespace piecework::engine
