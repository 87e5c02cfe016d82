// Sizes of pieces: the boundaries of formats.md 8, at every power of two.
#include "engine/piece/piece_size.h"

#include <gtest/gtest.h>

namespace piecework::engine {
namespace {

TEST(PieceSizeTest, SmallestPieceIsOneQuad) {
  EXPECT_EQ(padded_bytes_for(0), 128u);
  EXPECT_EQ(padded_bytes_for(1), 128u);
  EXPECT_EQ(padded_bytes_for(127), 128u);
  EXPECT_EQ(padded_bytes_for(128), 256u);
}

TEST(PieceSizeTest, OneByteOverTheCapacityDoublesThePiece) {
  for (uint64_t padded_bytes = kPieceBytesMin; padded_bytes <= kPieceBytesMax; padded_bytes *= 2) {
    const uint64_t capacity_bytes = payload_capacity_bytes(padded_bytes);
    EXPECT_EQ(capacity_bytes, padded_bytes / 128 * 127);
    EXPECT_EQ(padded_bytes_for(capacity_bytes), padded_bytes);
    EXPECT_EQ(padded_bytes_for(capacity_bytes + 1), 2 * padded_bytes);
  }
}

TEST(PieceSizeTest, LargestTreeIsComputedWithoutOverflow) {
  EXPECT_EQ(padded_bytes_for(kPayloadBytesMax), uint64_t{1} << 62);
  EXPECT_EQ(tree_height(padded_bytes_for(kPayloadBytesMax)), kTreeHeightMax);
}

TEST(PieceSizeTest, SegmentsCountWholeAndRaggedOnes) {
  EXPECT_EQ(segment_count(0), 1u);
  EXPECT_EQ(segment_count(1), 1u);
  EXPECT_EQ(segment_count(kSegmentBytes), 1u);
  EXPECT_EQ(segment_count(kSegmentBytes + 1), 2u);
  EXPECT_EQ(segment_count(payload_capacity_bytes(32 * kGiB)), 32u * 1024);
}

TEST(PieceSizeTest, SegmentTreesAreLowerInPiecesUnderOneSegment) {
  EXPECT_EQ(segment_tree_height(0), 2u);
  EXPECT_EQ(segment_tree_height(1016), kGranuleHeight);
  EXPECT_EQ(segment_tree_height(payload_capacity_bytes(512 * kKiB)), kSegmentHeight - 1);
  EXPECT_EQ(segment_tree_height(payload_capacity_bytes(512 * kKiB) + 1), kSegmentHeight);
  EXPECT_EQ(segment_tree_height(kPayloadBytesMax), kSegmentHeight);
}

}  // namespace
}  // namespace piecework::engine
