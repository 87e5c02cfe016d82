// What lies beside known bytes of a piece: with both the piece's root follows, whatever is known.
#include "engine/proof/proof_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "engine/piece/commp.h"
#include "engine/piece/segment_tree.h"
#include "tests/support/test_input.h"

namespace piecework::engine {
namespace {

// Disjoint random ranges, in order.
std::vector<PayloadRange> random_ranges(std::mt19937& random, uint64_t payload_bytes, size_t count) {
  std::vector<uint64_t> ends;
  while (ends.size() < 2 * count) ends.push_back(random() % (payload_bytes + 1));
  std::ranges::sort(ends);
  std::vector<PayloadRange> ranges;
  for (size_t i = 0; i < ends.size(); i += 2) {
    if (ends[i] < ends[i + 1]) ranges.push_back({ends[i], ends[i + 1]});
  }
  return ranges;
}

Digest32 root_below(ByteSpan payload, const TreeNode& node) {
  const PayloadRange below = payload_below(node, payload.size());
  const ByteSpan bytes = payload.subspan(below.begin_bytes, below.end_bytes - below.begin_bytes);
  if (node.height <= kSegmentHeight) return subtree_root(bytes, node.height);
  SubtreeStack stack(kSegmentHeight);
  for (size_t at = 0; at < bytes.size(); at += kSegmentBytes) {
    stack.append(subtree_root(bytes.subspan(at, std::min<size_t>(kSegmentBytes, bytes.size() - at)), kSegmentHeight));
  }
  return stack.finish(node.height);
}

// As much as there is to tell about one group of 127 bytes.
struct Quad {
  bool has_known = false;
  bool is_hashed = false;
};

void check(const std::vector<uint8_t>& payload, const std::vector<PayloadRange>& known) {
  PayloadTree tree;
  std::vector<Quad> quads(payload.size() / kQuadBytes + 1);
  const auto append = [&](const PayloadRange& range) {
    EXPECT_EQ(tree.at_bytes(), range.begin_bytes);
    tree.append_bytes(ByteSpan(payload).subspan(range.begin_bytes, range.end_bytes - range.begin_bytes));
  };
  std::vector<TreeNode> nodes;
  std::vector<PayloadRange> edges;
  const BesideVisitor beside = {.bytes = [&](const PayloadRange& range) -> Status {
                                  EXPECT_LT(range.begin_bytes, range.end_bytes);
                                  edges.push_back(range);
                                  append(range);
                                  return {};
                                },
                                .subtree = [&](const TreeNode& node) -> Status {
                                  nodes.push_back(node);
                                  EXPECT_EQ(tree.at_bytes(), payload_below(node, UINT64_MAX / 2).begin_bytes);
                                  tree.append_subtree(node, root_below(payload, node));
                                  return {};
                                }};
  for (const PayloadRange& range : known) {
    ASSERT_TRUE(visit_beside({tree.at_bytes(), range.begin_bytes}, beside).has_value());
    append(range);
    for (uint64_t quad = range.begin_bytes / kQuadBytes; quad * kQuadBytes < range.end_bytes; ++quad) {
      quads[quad].has_known = true;
    }
  }
  ASSERT_TRUE(visit_rest(tree.at_bytes(), payload.size(), beside).has_value());
  EXPECT_EQ(tree.at_bytes(), payload.size());
  quads[payload.empty() ? 0 : (payload.size() - 1) / kQuadBytes].has_known = true;
  for (const PayloadRange& edge : edges) EXPECT_TRUE(quads[edge.begin_bytes / kQuadBytes].has_known);
  for (size_t i = 0; i < nodes.size(); ++i) {
    const uint64_t count = uint64_t{1} << (nodes[i].height - 2);
    for (uint64_t quad = nodes[i].index * count; quad < (nodes[i].index + 1) * count; ++quad) {
      EXPECT_FALSE(quads[quad].has_known) << quad;
    }
    const bool is_sibling = i > 0 && nodes[i - 1].height == nodes[i].height && nodes[i].index % 2 == 1 &&
                            nodes[i - 1].index + 1 == nodes[i].index;
    EXPECT_FALSE(is_sibling) << "their parent says the same";
  }
  EXPECT_EQ(tree.finish(), commp_of_bytes(payload, 1)->root);
}

TEST(ProofTreeTest, LeadsToTheRootFromAnyRanges) {
  std::mt19937 random(1);
  for (const size_t payload_bytes : {0u, 1u, 126u, 127u, 128u, 254u, 1000u, 1016u, 5000u, 65024u, 65025u}) {
    const std::vector<uint8_t> payload = piecework::testing::deterministic_bytes("payload", payload_bytes);
    check(payload, {});
    if (payload_bytes > 0) check(payload, {{0, payload_bytes}});
    for (size_t i = 0; i < 20; ++i) check(payload, random_ranges(random, payload_bytes, 1 + i % 6));
  }
}

TEST(ProofTreeTest, LeadsToTheRootOfSeveralSegments) {
  std::mt19937 random(2);
  const std::vector<uint8_t> payload = piecework::testing::deterministic_bytes("payload", 5 * kSegmentBytes + 77);
  check(payload, {{0, 59}});
  check(payload, {{kSegmentBytes - 1, 2 * kSegmentBytes + 1}});
  for (size_t i = 0; i < 3; ++i) check(payload, random_ranges(random, payload.size(), 3));
}

TEST(ProofTreeTest, TakesFewHashesOfTheLargestPiece) {
  size_t count = 0;
  const BesideVisitor beside = {.bytes = [](const PayloadRange&) { return Status(); },
                                .subtree = [&count](const TreeNode&) {
                                  ++count;
                                  return Status();
                                }};
  ASSERT_TRUE(visit_rest(59, kPayloadBytesMax, beside).has_value());
  EXPECT_EQ(count, 2u * 54);  // one a level on the way up from the first group, and on that down to the last
}

}  // namespace
}  // namespace piecework::engine
