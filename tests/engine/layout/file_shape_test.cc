// What a file of some length comes to, and each of its subtrees.
#include "engine/layout/file_shape.h"

#include <gtest/gtest.h>

#include "engine/layout/file_walk.h"
#include "engine/layout/node_lengths.h"

namespace piecework::engine {
namespace {

// What FileShape::subtree() says in one step, node by node.
FileSubtree walked(const FileShape& shape, const Profile& profile, const FileNodePlace& top) {
  FileSubtree sum;
  FileWalk walk(shape, profile.max_links, top);
  FileNodePlace place;
  while (walk.next(place)) {
    const uint32_t cid_bytes = place.level == 0 ? profile.leaf_cid_bytes() : profile.node_cid_bytes();
    sum.sections_bytes += section_bytes(cid_bytes, shape.node(place.level, place.index).block_bytes);
    ++sum.section_count;
  }
  return sum;
}

TEST(FileShape, SubtreesAreWhatTheirNodesComeTo) {
  for (const bool raw_leaves : {true, false}) {
    const Profile profile{
        .chunk_bytes = 10, .max_links = 3, .raw_leaves = raw_leaves, .cid_version = uint8_t{raw_leaves}};
    // One leaf; a full level and one leaf more, which keeps its chain of parents; a bit of everything.
    for (const uint64_t file_bytes : {1u, 10u, 30u, 31u, 270u, 271u, 280u, 811u, 1000u}) {
      const FileShape shape(file_bytes, profile);
      for (size_t level = 0; level < shape.level_count(); ++level) {
        uint64_t content_bytes = 0;
        for (uint64_t index = 0; index < shape.node_count(level); ++index) {
          const FileNodePlace place{level, index};
          ASSERT_TRUE(shape.has(place));
          const FileSubtree expected = walked(shape, profile, place);
          const FileSubtree actual = shape.subtree(place, profile);
          EXPECT_EQ(actual.sections_bytes, expected.sections_bytes) << file_bytes << " " << level << " " << index;
          EXPECT_EQ(actual.section_count, expected.section_count) << file_bytes << " " << level << " " << index;
          content_bytes += shape.node(level, index).file_bytes;
        }
        EXPECT_EQ(content_bytes, file_bytes);
        EXPECT_FALSE(shape.has({level, shape.node_count(level)}));
      }
      const FileSubtree whole = shape.subtree(shape.root_place(), profile);
      EXPECT_EQ(whole.sections_bytes, shape.sections_bytes());
      EXPECT_EQ(whole.section_count, shape.section_count());
      EXPECT_FALSE(shape.has({shape.level_count(), 0}));
    }
  }
}

TEST(FileShape, TheLargestFileInTheSmallestChunksHasRoom) {
  const Profile profile{.chunk_bytes = 1, .max_links = 2};
  const FileShape shape(FileShape::kFileBytesMax, profile);
  EXPECT_EQ(shape.level_count(), 47u);
  EXPECT_EQ(shape.root().file_bytes, FileShape::kFileBytesMax);
}

}  // namespace
}  // namespace piecework::engine
