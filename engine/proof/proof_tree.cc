// See proof_tree.h.
#include "engine/proof/proof_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "engine/piece/segment_tree.h"
#include "engine/piece/zero_commitments.h"

namespace piecework::engine {
namespace {

constexpr unsigned kQuadHeight = 2;

}  // namespace

PayloadRange payload_below(const TreeNode& node, uint64_t payload_bytes) {
  const uint64_t capacity_bytes = payload_capacity_bytes(kLeafBytes << node.height);
  const uint64_t begin_bytes = std::min(node.index * capacity_bytes, payload_bytes);
  return {begin_bytes, std::min(begin_bytes + capacity_bytes, payload_bytes)};
}

Result<ProofTree> ProofTree::make(uint64_t payload_bytes, std::vector<PayloadRange> ranges) {
  ProofTree tree(payload_bytes);
  std::ranges::sort(ranges, {}, &PayloadRange::begin_bytes);
  uint64_t covered_end_bytes = 0;
  uint64_t touched_end_bytes = 0;  // end of the last touched group, or of the payload
  const auto touch = [&](uint64_t begin_bytes, uint64_t end_bytes) {
    const uint64_t first_quad = begin_bytes / kQuadBytes;
    const uint64_t end_quad = div_ceil(end_bytes, kQuadBytes);
    const auto add_edge = [&tree](uint64_t from, uint64_t to) {
      if (from < to) tree.edges_.push_back({from, to});
      if (from < to) tree.edge_bytes_ += to - from;
    };
    if (!tree.quads_.empty() && first_quad <= tree.quads_.back().end_bytes) {
      add_edge(covered_end_bytes, begin_bytes);
      tree.quads_.back().end_bytes = std::max(tree.quads_.back().end_bytes, end_quad);
    } else {
      add_edge(covered_end_bytes, touched_end_bytes);
      add_edge(first_quad * kQuadBytes, begin_bytes);
      tree.quads_.push_back({first_quad, end_quad});
    }
    covered_end_bytes = end_bytes;
    touched_end_bytes = std::min(tree.quads_.back().end_bytes * kQuadBytes, payload_bytes);
  };
  for (const PayloadRange& range : ranges) {
    if (range.begin_bytes < covered_end_bytes || range.begin_bytes >= range.end_bytes ||
        range.end_bytes > payload_bytes) {
      return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
                  fmt::format("bytes {} to {} of the piece: expected within {} to {}", range.begin_bytes,
                              range.end_bytes, covered_end_bytes, payload_bytes));
    }
    touch(range.begin_bytes, range.end_bytes);
  }
  const uint64_t last_quad = payload_bytes == 0 ? 0 : (payload_bytes - 1) / kQuadBytes;
  if (tree.quads_.empty() || tree.quads_.back().end_bytes <= last_quad) {
    touch(last_quad * kQuadBytes, last_quad * kQuadBytes);
    tree.quads_.back().end_bytes = last_quad + 1;
    touched_end_bytes = payload_bytes;
  }
  if (covered_end_bytes < touched_end_bytes) {
    tree.edges_.push_back({covered_end_bytes, touched_end_bytes});
    tree.edge_bytes_ += touched_end_bytes - covered_end_bytes;
  }
  return tree;
}

// Groups behind the payload are zero and count as touched.
ProofTree::Touched ProofTree::touched(const TreeNode& node) const {
  const uint64_t quad_count = uint64_t{1} << (node.height - kQuadHeight);
  const uint64_t begin = node.index * quad_count;
  const uint64_t end = std::min(begin + quad_count, std::max<uint64_t>(div_ceil(payload_bytes_, kQuadBytes), 1));
  if (begin >= end) return Touched::kAll;
  const auto found = std::upper_bound(quads_.begin(), quads_.end(), begin,
                                      [](uint64_t quad, const PayloadRange& range) { return quad < range.end_bytes; });
  if (found == quads_.end() || found->begin_bytes >= end) return Touched::kNothing;
  return found->begin_bytes <= begin && found->end_bytes >= end ? Touched::kAll : Touched::kPartly;
}

// As deep as the tree: at most kTreeHeightMax.
Result<Digest32> ProofTree::node_root(const TreeNode& node, const Hashes& hashes, std::vector<uint8_t>& buffer) const {
  const PayloadRange below = payload_below(node, payload_bytes_);
  if (below.begin_bytes == below.end_bytes && below.begin_bytes > 0) return zero_commitment(node.height);
  const Touched state = touched(node);
  if (state == Touched::kNothing) return hashes.boundary(node);
  if (state == Touched::kAll && node.height <= kSegmentHeight) {
    buffer.resize(static_cast<size_t>(below.end_bytes - below.begin_bytes));
    PIECEWORK_TRY(hashes.payload(buffer, below.begin_bytes));
    return subtree_root(buffer, node.height);
  }
  uint8_t pair[2 * kDigestBytes];
  for (uint64_t side = 0; side < 2; ++side) {
    PIECEWORK_ASSIGN(const Digest32 child, node_root({node.height - 1, 2 * node.index + side}, hashes, buffer));
    std::memcpy(pair + side * kDigestBytes, child.data(), kDigestBytes);
  }
  return fold_nodes(pair, 2, node.height - 1, node.height);
}

Result<Digest32> ProofTree::root(const Hashes& hashes) const {
  std::vector<uint8_t> buffer;
  return node_root({tree_height(padded_bytes_for(payload_bytes_)), 0}, hashes, buffer);
}

Status ProofTree::visit_boundary(const std::function<Status(const TreeNode&)>& visit) const {
  std::vector<TreeNode> stack = {{tree_height(padded_bytes_for(payload_bytes_)), 0}};
  while (!stack.empty()) {
    const TreeNode node = stack.back();
    stack.pop_back();
    const Touched state = touched(node);
    if (state == Touched::kNothing) PIECEWORK_TRY(visit(node));
    if (state != Touched::kPartly) continue;
    stack.push_back({node.height - 1, 2 * node.index + 1});
    stack.push_back({node.height - 1, 2 * node.index});
  }
  return {};
}

}  // namespace piecework::engine
