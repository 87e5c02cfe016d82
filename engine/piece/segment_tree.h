// The trees inside a piece: from payload bytes to segment roots, and from those to the piece's root (commP).
//
//   payload   1,016 bytes -> granule root (height 5)      kernels::hash_granules, Fr32 in registers
//             1,024 granule roots -> segment root (15)    ten levels of kernels::hash_nodes, in place
//             segment roots -> piece root                 SubtreeStack, one node at a time: 1 node per MiB
//
// What lies after the end of the payload is zero: those subtrees come from zero_commitments.h. The result does not
// depend on how the payload is cut, on threads or on kernel variants. Source: formats.md 8.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "engine/piece/piece_size.h"
#include "kernels/base/bytes.h"

namespace piecework::engine {

// The root (height 15) of the kSegmentBytes at `segment`. Cost: 32 KiB of stack, no allocation. Safe for concurrent
// use.
Digest32 segment_root(const uint8_t* segment) noexcept;

// The root of a subtree of `height` levels over `payload`, zero-filled to the subtree's capacity: for the last segment
// of a piece, and for pieces smaller than a segment (height = segment_tree_height(payload bytes of the piece)).
// REQUIRES: 2 <= height <= kSegmentHeight; payload.size() <= payload_capacity_bytes(kLeafBytes << height).
Digest32 subtree_root(ByteSpan payload, unsigned height) noexcept;

// Folds `node_count` adjacent nodes of `height` at `nodes` into one of `target_height`, in place; nodes missing on the
// right are zero subtrees. Overwrites `nodes`. REQUIRES: 1 <= node_count <= 2^(target_height - height), and room for
// one node more where node_count is odd.
Digest32 fold_nodes(uint8_t* nodes, size_t node_count, unsigned height, unsigned target_height) noexcept;

// The root of a piece of `payload_bytes` from the roots of its segments in order: commP. A piece of at most one
// segment's capacity has one entry. REQUIRES: segment_roots.size() == segment_count(payload_bytes).
Digest32 piece_root(std::span<const Digest32> segment_roots, uint64_t payload_bytes);

// Adjacent subtrees of equal height, appended from the left, folded as soon as two of a height are there (a binary
// counter): at most one pending root for each height. Thread-compatible.
class SubtreeStack {
 public:
  // `height` is that of every root appended.
  explicit SubtreeStack(unsigned height) : height_(height) {}

  void append(const Digest32& root);
  [[nodiscard]] uint64_t root_count() const { return root_count_; }
  // The root of the tree of `target_height` that holds what was appended and zeros after it; more may be appended
  // afterwards. REQUIRES: root_count() <= 2^(target_height - height).
  [[nodiscard]] Digest32 finish(unsigned target_height) const;

 private:
  unsigned height_;
  uint64_t root_count_ = 0;                             // its bits tell which entries of pending_ are in use
  std::array<Digest32, kTreeHeightMax + 1> pending_{};  // by height
};

}  // namespace piecework::engine
