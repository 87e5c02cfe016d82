// See proof_tree.h.
#include "engine/proof/proof_tree.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/piece/segment_tree.h"
#include "engine/piece/zero_commitments.h"

namespace piecework::engine {
namespace {

constexpr unsigned kQuadHeight = 2;

// The largest subtree that begins at the group `first` and has at most `quad_count` groups.
TreeNode largest_subtree(uint64_t first, uint64_t quad_count) {
  const int aligned = first == 0 ? 63 : std::countr_zero(first);
  const unsigned level = static_cast<unsigned>(std::min(aligned, static_cast<int>(std::bit_width(quad_count)) - 1));
  return {kQuadHeight + level, first >> level};
}

uint64_t quads_below(const TreeNode& node) { return uint64_t{1} << (node.height - kQuadHeight); }

}  // namespace

PayloadRange payload_below(const TreeNode& node, uint64_t payload_bytes) {
  const uint64_t capacity_bytes = payload_capacity_bytes(kLeafBytes << node.height);
  const uint64_t begin_bytes = std::min(node.index * capacity_bytes, payload_bytes);
  return {begin_bytes, std::min(begin_bytes + capacity_bytes, payload_bytes)};
}

Status visit_beside(PayloadRange gap, const BesideVisitor& visitor) {
  while (gap.begin_bytes < gap.end_bytes) {
    const uint64_t in_quad_bytes = gap.begin_bytes % kQuadBytes;
    const uint64_t quad_count = (gap.end_bytes - gap.begin_bytes) / kQuadBytes;
    if (in_quad_bytes > 0 || quad_count == 0) {
      const uint64_t end_bytes = std::min(gap.begin_bytes + kQuadBytes - in_quad_bytes, gap.end_bytes);
      PIECEWORK_TRY(visitor.bytes({gap.begin_bytes, end_bytes}));
      gap.begin_bytes = end_bytes;
    } else {
      const TreeNode node = largest_subtree(gap.begin_bytes / kQuadBytes, quad_count);
      PIECEWORK_TRY(visitor.subtree(node));
      gap.begin_bytes += quads_below(node) * kQuadBytes;
    }
  }
  return {};
}

Status visit_rest(uint64_t at_bytes, uint64_t payload_bytes, const BesideVisitor& visitor) {
  const uint64_t last_quad_bytes = payload_bytes == 0 ? 0 : (payload_bytes - 1) / kQuadBytes * kQuadBytes;
  PIECEWORK_TRY(visit_beside({at_bytes, last_quad_bytes}, visitor));
  at_bytes = std::max(at_bytes, last_quad_bytes);
  return at_bytes < payload_bytes ? visitor.bytes({at_bytes, payload_bytes}) : Status();
}

void PayloadTree::append_bytes(ByteSpan bytes) {
  while (!bytes.empty()) {
    const uint64_t to_segment_end_bytes = kSegmentBytes - at_bytes_ % kSegmentBytes;
    const size_t count = static_cast<size_t>(std::min<uint64_t>(bytes.size(), to_segment_end_bytes));
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(count));
    at_bytes_ += count;
    bytes = bytes.subspan(count);
    if (count == to_segment_end_bytes) hash_buffer();
  }
}

void PayloadTree::append_subtree(const TreeNode& node, const Digest32& root) {
  hash_buffer();
  at_bytes_ += quads_below(node) * kQuadBytes;
  push(node.height, root);
}

Digest32 PayloadTree::finish() {
  const unsigned height = tree_height(padded_bytes_for(at_bytes_));
  if (at_bytes_ == 0) return zero_commitment(height);
  append_bytes(std::vector<uint8_t>((kQuadBytes - at_bytes_ % kQuadBytes) % kQuadBytes));
  hash_buffer();
  while (pending_.back().first < height) push(pending_.back().first, zero_commitment(pending_.back().first));
  return pending_.back().second;
}

void PayloadTree::hash_buffer() {
  PIECEWORK_CHECK(buffer_.size() % kQuadBytes == 0);
  uint64_t first = (at_bytes_ - buffer_.size()) / kQuadBytes;
  for (ByteSpan rest = buffer_; !rest.empty();) {
    const TreeNode node = largest_subtree(first, rest.size() / kQuadBytes);
    const size_t count = static_cast<size_t>(quads_below(node) * kQuadBytes);
    push(node.height, subtree_root(rest.first(count), node.height));
    rest = rest.subspan(count);
    first += quads_below(node);
  }
  buffer_.clear();
}

void PayloadTree::push(unsigned height, Digest32 root) {
  while (!pending_.empty() && pending_.back().first == height) {
    uint8_t pair[2 * kDigestBytes];
    std::memcpy(pair, pending_.back().second.data(), kDigestBytes);
    std::memcpy(pair + kDigestBytes, root.data(), kDigestBytes);
    root = fold_nodes(pair, 2, height, height + 1);
    pending_.pop_back();
    ++height;
  }
  pending_.emplace_back(height, root);
}

}  // namespace piecework::engine
