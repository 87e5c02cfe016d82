// Trees of segments and pieces over the kernels.
#include "engine/piece/segment_tree.h"

#include <algorithm>
#include <cstring>

#include "engine/piece/zero_commitments.h"
#include "kernels/base/check.h"
#include "kernels/fr32/fr32.h"
#include "kernels/isal.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

Digest32 hash_pair(const Digest32& left, const Digest32& right) noexcept {
  uint8_t pair[2 * kDigestBytes];
  std::memcpy(pair, left.data(), kDigestBytes);
  std::memcpy(pair + kDigestBytes, right.data(), kDigestBytes);
  Digest32 node;
  kernels::hash_nodes(node.data(), pair, 1);
  return node;
}

// A quick look before the whole segment is tested: payload that is not zero seldom begins with a quad of zeros.
bool starts_with_zeros(const uint8_t* segment) noexcept { return kernels::is_all_zero({segment, kQuadBytes}); }

// Granule roots of `payload`, the last one zero-filled, at `nodes`; returns how many. REQUIRES: payload not empty.
size_t hash_ragged_granules(uint8_t* nodes, ByteSpan payload) noexcept {
  const size_t whole_count = payload.size() / kGranuleBytes;
  kernels::hash_granules(nodes, payload.data(), whole_count);
  const ByteSpan rest = payload.subspan(whole_count * kGranuleBytes);
  if (rest.empty()) return whole_count;
  uint8_t granule[kGranuleBytes] = {};
  std::memcpy(granule, rest.data(), rest.size());
  kernels::hash_granules(nodes + whole_count * kDigestBytes, granule, 1);
  return whole_count + 1;
}

// Trees lower than a granule: 1, 2 or 4 quads.
Digest32 small_root(ByteSpan payload, unsigned height) noexcept {
  uint8_t quads[kGranuleBytes] = {};
  uint8_t padded[kPaddedGranuleBytes];
  if (!payload.empty()) std::memcpy(quads, payload.data(), payload.size());
  const size_t leaf_count = size_t{1} << height;
  kernels::fr32_pad(padded, quads, leaf_count * kLeafBytes / kPaddedQuadBytes);
  return fold_nodes(padded, leaf_count, 0, height);
}

}  // namespace

Digest32 fold_nodes(uint8_t* nodes, size_t node_count, unsigned height, unsigned target_height) noexcept {
  PIECEWORK_DCHECK(node_count >= 1 && height <= target_height && node_count <= uint64_t{1} << (target_height - height));
  for (; height < target_height; ++height) {
    if (node_count % 2 != 0) {
      std::memcpy(nodes + node_count * kDigestBytes, zero_commitment(height).data(), kDigestBytes);
      ++node_count;
    }
    node_count /= 2;
    kernels::hash_nodes(nodes, nodes, node_count);
  }
  Digest32 root;
  std::memcpy(root.data(), nodes, kDigestBytes);
  return root;
}

Digest32 segment_root(const uint8_t* segment) noexcept {
  if (starts_with_zeros(segment) && kernels::is_all_zero({segment, kSegmentBytes}))
    return zero_commitment(kSegmentHeight);
  alignas(64) uint8_t nodes[kGranulesPerSegment * kDigestBytes];
  kernels::hash_granules(nodes, segment, kGranulesPerSegment);
  return fold_nodes(nodes, kGranulesPerSegment, kGranuleHeight, kSegmentHeight);
}

Digest32 subtree_root(ByteSpan payload, unsigned height) noexcept {
  PIECEWORK_CHECK(height >= 2 && height <= kSegmentHeight);
  PIECEWORK_CHECK(payload.size() <= payload_capacity_bytes(kLeafBytes << height));
  if (payload.empty()) return zero_commitment(height);
  if (height < kGranuleHeight) return small_root(payload, height);
  alignas(64) uint8_t nodes[kGranulesPerSegment * kDigestBytes];
  const size_t granule_count = hash_ragged_granules(nodes, payload);
  return fold_nodes(nodes, granule_count, kGranuleHeight, height);
}

Digest32 piece_root(std::span<const Digest32> segment_roots, uint64_t payload_bytes) {
  PIECEWORK_CHECK(segment_roots.size() == segment_count(payload_bytes));
  SubtreeStack stack(segment_tree_height(payload_bytes));
  for (const Digest32& root : segment_roots) stack.append(root);
  return stack.finish(tree_height(padded_bytes_for(payload_bytes)));
}

void SubtreeStack::append(const Digest32& root) {
  Digest32 node = root;
  unsigned height = height_;
  // As in a binary counter, the carry runs through the heights that are occupied.
  for (uint64_t carry = root_count_; carry % 2 != 0; carry /= 2, ++height) node = hash_pair(pending_[height], node);
  PIECEWORK_CHECK(height < pending_.size());
  pending_[height] = node;
  ++root_count_;
}

Digest32 SubtreeStack::finish(unsigned target_height) const {
  PIECEWORK_CHECK(target_height >= height_ && target_height < pending_.size());
  if (root_count_ == uint64_t{1} << (target_height - height_)) return pending_[target_height];
  PIECEWORK_CHECK(root_count_ < uint64_t{1} << (target_height - height_));
  Digest32 node = zero_commitment(height_);
  for (unsigned height = height_; height < target_height; ++height) {
    const bool occupied = (root_count_ >> (height - height_)) % 2 != 0;
    node = occupied ? hash_pair(pending_[height], node) : hash_pair(node, zero_commitment(height));
  }
  return node;
}

}  // namespace piecework::engine
