// A piece whose process is stopped after random runs, however often, has the bytes of one that was not: everything but
// the CAR, the spools and the last checkpoint is thrown away, runs that were committed after the checkpoint are written
// again, and the new process cuts its runs at other places.
#include <gtest/gtest.h>

#include "tests/engine/piece/one_pass_writer.h"

namespace piecework::engine {
namespace {

using namespace testing;  // NOLINT: this file is about what is in there

// However often it is stopped, the bytes are the same.
void compare_stopped(const TreeNode& tree, const Profile& profile, uint32_t events_per_run, Random& random,
                     uint64_t& stop_count) {
  for (const Dedup dedup : {Dedup::kBlocks, Dedup::kFiles, Dedup::kNone}) {
    const OnePass expected = write_in_one_pass(tree, profile, dedup, events_per_run);
    const OnePass got = write_in_one_pass(tree, profile, dedup, events_per_run, &random);
    stop_count += got.stop_count;
    ASSERT_TRUE(got.car == expected.car) << "CARs differ after " << got.stop_count << " stops, " << dedup_name(dedup);
    ASSERT_EQ(to_hex(as_bytes(got.root)), to_hex(as_bytes(expected.root)));
    ASSERT_EQ(to_hex(got.piece_root), to_hex(expected.piece_root));
    ASSERT_EQ(to_hex(got.nodes.sha256), to_hex(expected.nodes.sha256)) << "sections' spools differ";
    ASSERT_EQ(got.nodes.content_bytes, expected.nodes.content_bytes);
  }
}

TEST(StoppedPiece, HasTheSameBytesOnRandomTrees) {
  uint64_t stop_count = 0;
  const SeedRange seeds = tree_seeds();
  for (size_t seed = seeds.begin; seed < seeds.end; ++seed) {
    Random random(seed);
    const Profile profile = random_profile(random);
    const TreeNode tree = random_tree(random, 1 + below(random, 60), below(random, 6));
    compare_stopped(tree, profile, 1 + static_cast<uint32_t>(below(random, 12)), random, stop_count);
    if (HasFatalFailure()) FAIL() << "seed " << seed << ", " << profile.canonical_text();
  }
  EXPECT_GT(stop_count, seeds.end - seeds.begin);
}

TEST(StoppedPiece, BlocksOverThreeSegments) {
  TreeNode tree{EntryKind::kDirectory, {}, {}};
  Random random(7);
  for (const char* name : {"one", "two"}) {
    std::string content(9 * kMiB + 12345, '\0');
    for (char& c : content) c = static_cast<char>(random());
    tree.children[name] = {EntryKind::kFile, std::move(content), {}};
  }
  Profile profile;
  profile.chunk_bytes = kChunkBytesMax;
  profile.max_links = 3;
  uint64_t stop_count = 0;
  compare_stopped(tree, profile, 3, random, stop_count);
  EXPECT_GT(stop_count, 0u);
}

}  // namespace
}  // namespace piecework::engine
