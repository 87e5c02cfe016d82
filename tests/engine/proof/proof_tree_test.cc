// Which bytes and hashes a proof needs: with them the piece's root follows, whatever ranges are known.
#include "engine/proof/proof_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "engine/piece/commp.h"
#include "engine/piece/segment_tree.h"
#include "tests/support/test_input.h"

namespace piecework::engine {
namespace {

// Disjoint random ranges.
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

void check(const std::vector<uint8_t>& payload, const std::vector<PayloadRange>& ranges) {
  const auto tree = ProofTree::make(payload.size(), ranges);
  ASSERT_TRUE(tree.has_value());
  std::vector<uint8_t> known(payload.size());  // only what a proof brings
  std::vector<bool> is_known(payload.size());
  const auto learn = [&](const PayloadRange& range) {
    for (uint64_t i = range.begin_bytes; i < range.end_bytes; ++i) {
      EXPECT_FALSE(is_known[i]) << "twice: " << i;
      known[i] = payload[i];
      is_known[i] = true;
    }
  };
  std::ranges::for_each(ranges, learn);
  std::ranges::for_each(tree->edges(), learn);
  uint64_t edge_bytes = 0;
  for (const PayloadRange& edge : tree->edges()) edge_bytes += edge.end_bytes - edge.begin_bytes;
  EXPECT_EQ(edge_bytes, tree->edge_bytes());

  std::vector<Digest32> boundary;
  ASSERT_TRUE(tree->visit_boundary([&](const TreeNode& node) -> Status {
    const PayloadRange below = payload_below(node, payload.size());
    EXPECT_LT(below.begin_bytes, below.end_bytes);
    const ByteSpan bytes = ByteSpan(payload).subspan(below.begin_bytes, below.end_bytes - below.begin_bytes);
    if (node.height <= kSegmentHeight) {
      boundary.push_back(subtree_root(bytes, node.height));
    } else {
      SubtreeStack stack(kSegmentHeight);
      for (size_t at = 0; at < bytes.size(); at += kSegmentBytes) {
        stack.append(subtree_root(bytes.subspan(at, std::min<size_t>(kSegmentBytes, bytes.size() - at)),
                                  kSegmentHeight));
      }
      boundary.push_back(stack.finish(node.height));
    }
    return {};
  }));
  size_t next = 0;
  const auto root = tree->root({.boundary = [&](const TreeNode&) -> Result<Digest32> { return boundary.at(next++); },
                                .payload = [&](MutableByteSpan target, uint64_t offset_bytes) -> Status {
                                  for (size_t i = 0; i < target.size(); ++i) {
                                    EXPECT_TRUE(is_known[offset_bytes + i]) << offset_bytes + i;
                                    target[i] = known[offset_bytes + i];
                                  }
                                  return {};
                                }});
  ASSERT_TRUE(root.has_value());
  EXPECT_EQ(next, boundary.size());
  EXPECT_EQ(*root, commp_of_bytes(payload, 1)->root);
}

TEST(ProofTreeTest, LeadsToTheRootFromAnyRanges) {
  std::mt19937 random(1);
  for (const size_t payload_bytes : {1, 126, 127, 128, 254, 1000, 1016, 5000, 65024, 65025}) {
    const std::vector<uint8_t> payload = piecework::testing::deterministic_bytes("payload", payload_bytes);
    check(payload, {});
    check(payload, {{0, payload_bytes}});
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

TEST(ProofTreeTest, RefusesRangesThatCannotBe) {
  EXPECT_FALSE(ProofTree::make(100, {{0, 101}}).has_value());
  EXPECT_FALSE(ProofTree::make(100, {{5, 5}}).has_value());
  EXPECT_FALSE(ProofTree::make(100, {{0, 10}, {9, 20}}).has_value());
  EXPECT_FALSE(ProofTree::make(100, {{10, 20}, {0, 11}}).has_value());
  EXPECT_TRUE(ProofTree::make(100, {{10, 20}, {0, 10}}).has_value());
}

}  // namespace
}  // namespace piecework::engine
