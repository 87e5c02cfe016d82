// Trees against a second construction: Fr32 and one node at a time, with no lookups and no granules.
//
// The reference below uses only fr32_pad and OpenSSL's SHA-256; commp_test.cc brings the published roots.
#include "engine/piece/segment_tree.h"

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <algorithm>
#include <vector>

#include "engine/piece/zero_commitments.h"
#include "kernels/fr32/fr32.h"
#include "tests/support/test_input.h"

namespace piecework::engine {
namespace {

Digest32 reference_node(const uint8_t* pair) {
  Digest32 node;
  SHA256(pair, 2 * kDigestBytes, node.data());
  node[31] &= 0x3F;
  return node;
}

Digest32 reference_root(std::vector<uint8_t> payload, unsigned height) {
  payload.resize(payload_capacity_bytes(kLeafBytes << height));
  std::vector<uint8_t> nodes(kLeafBytes << height);
  kernels::fr32_pad(nodes.data(), payload.data(), payload.size() / kQuadBytes);
  for (size_t node_count = nodes.size() / kDigestBytes; node_count > 1; node_count /= 2) {
    for (size_t index = 0; index < node_count / 2; ++index) {
      const Digest32 node = reference_node(&nodes[2 * kDigestBytes * index]);
      std::ranges::copy(node, nodes.begin() + static_cast<ptrdiff_t>(kDigestBytes * index));
    }
  }
  Digest32 root;
  std::copy_n(nodes.begin(), root.size(), root.begin());
  return root;
}

TEST(SubtreeRootTest, EveryHeightAtEmptyRaggedAndFullPayloads) {
  for (unsigned height = 2; height <= 11; ++height) {
    const size_t capacity_bytes = payload_capacity_bytes(kLeafBytes << height);
    for (const size_t payload_bytes :
         {size_t{0}, size_t{1}, capacity_bytes / 3, capacity_bytes / 2 + 1, capacity_bytes - 1, capacity_bytes}) {
      const std::vector<uint8_t> payload = testing::deterministic_bytes("subtree", payload_bytes);
      EXPECT_EQ(subtree_root(payload, height), reference_root(payload, height))
          << "height " << height << ", " << payload_bytes << " bytes";
    }
  }
}

TEST(SegmentRootTest, EqualsTheReference) {
  const std::vector<uint8_t> segment = testing::deterministic_bytes("segment", kSegmentBytes);
  EXPECT_EQ(segment_root(segment.data()), reference_root(segment, kSegmentHeight));
  EXPECT_EQ(segment_root(segment.data()), subtree_root(segment, kSegmentHeight));
}

TEST(SegmentRootTest, ZerosAreLookedUpAndAlmostZerosAreNot) {
  std::vector<uint8_t> segment(kSegmentBytes);
  EXPECT_EQ(segment_root(segment.data()), zero_commitment(kSegmentHeight));
  segment.back() = 1;
  EXPECT_EQ(segment_root(segment.data()), reference_root(segment, kSegmentHeight));
}

TEST(FoldNodesTest, MissingNodesAreZeroSubtrees) {
  constexpr unsigned kLevels = 4;
  for (size_t node_count = 1; node_count <= 1u << kLevels; ++node_count) {
    std::vector<uint8_t> nodes = testing::deterministic_bytes("nodes", node_count * kDigestBytes);
    std::vector<uint8_t> filled = nodes;
    while (filled.size() < (kDigestBytes << kLevels))
      filled.insert(filled.end(), zero_commitment(3).begin(), zero_commitment(3).end());
    nodes.resize(nodes.size() + kDigestBytes);
    EXPECT_EQ(fold_nodes(nodes.data(), node_count, 3, 3 + kLevels),
              fold_nodes(filled.data(), size_t{1} << kLevels, 3, 3 + kLevels))
        << node_count << " nodes";
  }
}

TEST(SubtreeStackTest, EqualsFoldingAllAtOnce) {
  constexpr unsigned kLevels = 5;
  SubtreeStack stack(kSegmentHeight);
  std::vector<uint8_t> roots;
  for (size_t root_count = 1; root_count <= 1u << kLevels; ++root_count) {
    Digest32 root;
    testing::paint(root, root_count * root.size());
    root[31] &= 0x3F;
    stack.append(root);
    roots.insert(roots.end(), root.begin(), root.end());
    std::vector<uint8_t> nodes = roots;
    nodes.resize(nodes.size() + kDigestBytes);
    EXPECT_EQ(stack.finish(kSegmentHeight + kLevels),
              fold_nodes(nodes.data(), root_count, kSegmentHeight, kSegmentHeight + kLevels))
        << root_count << " roots";
  }
  EXPECT_EQ(stack.root_count(), 1u << kLevels);
}

TEST(PieceRootTest, OneSegmentIsThePieceItself) {
  const std::vector<uint8_t> payload = testing::deterministic_bytes("small piece", 5000);
  const Digest32 root = subtree_root(payload, segment_tree_height(payload.size()));
  EXPECT_EQ(piece_root({&root, 1}, payload.size()), reference_root(payload, tree_height(8192)));
}

}  // namespace
}  // namespace piecework::engine
