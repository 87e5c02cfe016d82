// The bet on layout, holes and late links: what one pass through the stages writes equals what a writer does that first
// makes every block in memory, bottom-up, and then writes them in order. The two share nothing but the codecs'
// encoders.
//
// Random trees over small chunks and thresholds, with runs cut after a few events, so that nearly every parent is late.
#include <gtest/gtest.h>

#include <iostream>

#include "engine/codec/dag_cbor.h"
#include "engine/piece/commp.h"
#include "tests/engine/piece/one_pass_writer.h"
#include "tests/engine/piece/two_pass_writer.h"

namespace piecework::engine {
namespace {

using namespace testing;  // NOLINT: this file is about what is in there

Digest32 commp_of(const std::string& bytes) {
  CommpAccumulator accumulator;
  accumulator.append(as_bytes(bytes));
  return accumulator.finish().root;
}

// With every digest known the bytes are those of the two-pass writer; with less, the root is and the piece is
// consistent.
void compare(const TreeNode& tree, const Profile& profile, uint32_t events_per_run) {
  TwoPassWriter writer(profile);
  const Made root = writer.make(tree);
  const std::string expected = writer.car(root.cid);
  for (const Dedup dedup : {Dedup::kBlocks, Dedup::kFiles, Dedup::kNone}) {
    const OnePass got = write_in_one_pass(tree, profile, dedup, events_per_run);
    ASSERT_EQ(to_hex(as_bytes(got.root)), to_hex(as_bytes(root.cid))) << dedup_name(dedup);
    ASSERT_EQ(to_hex(got.piece_root), to_hex(commp_of(got.car))) << dedup_name(dedup);
    if (dedup == Dedup::kBlocks) {
      ASSERT_TRUE(got.car == expected) << "CARs differ";
    }
    ASSERT_GE(got.car.size(), expected.size());
  }
}

TEST(OnePass, EqualsATwoPassWriterOnRandomTrees) {
  const SeedRange seeds = tree_seeds();
  for (size_t seed = seeds.begin; seed < seeds.end; ++seed) {
    Random random(seed);
    const Profile profile = random_profile(random);
    const TreeNode tree = random_tree(random, 1 + below(random, 60), below(random, 6));
    const uint32_t events_per_run = 1 + static_cast<uint32_t>(below(random, 12));
    compare(tree, profile, events_per_run);
    if (HasFatalFailure()) FAIL() << "seed " << seed << ", " << profile.canonical_text();
  }
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)  // GCC's names
#define PIECEWORK_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PIECEWORK_SANITIZED
#endif
#endif
#ifdef PIECEWORK_SANITIZED
constexpr size_t kDeepest = 1000;  // this file's helpers recurse, in frames that sanitizers widen
#else
constexpr size_t kDeepest = 10000;
#endif

TEST(OnePass, DeepTrees) {
  for (const size_t depth : {size_t{200}, kDeepest}) {
    TreeNode tree{EntryKind::kDirectory, {}, {}};
    TreeNode* at = &tree;
    for (size_t i = 0; i < depth; ++i) {
      if (i % 10 == 0) at->children["a"] = {EntryKind::kFile, std::string(3000, static_cast<char>('a' + i % 26)), {}};
      at = &at->children["b"];
      *at = {EntryKind::kDirectory, {}, {}};
    }
    Profile profile;
    profile.chunk_bytes = 256;
    TwoPassWriter writer(profile);
    const OnePass got = write_in_one_pass(tree, profile, Dedup::kBlocks, 64);
    EXPECT_TRUE(got.car == writer.car(writer.make(tree).cid));
    EXPECT_EQ(to_hex(got.piece_root), to_hex(commp_of(got.car)));
    std::cout << "depth " << depth << ": " << got.waiting_segments_max << " segments and " << got.waiting_bytes_max
              << " bytes waited at most, CAR of " << got.car.size() << " bytes in " << got.run_count << " runs\n";
    while (!tree.children.empty()) tree = TreeNode(std::move(tree.children.rbegin()->second));  // not recursively
  }
}

TEST(OnePass, BlocksOverThreeSegments) {
  TreeNode tree{EntryKind::kDirectory, {}, {}};
  Random random(7);
  for (const char* name : {"one", "two", "three"}) {
    std::string content(9 * kMiB + 12345, '\0');
    for (char& c : content) c = static_cast<char>(random());
    tree.children[name] = {EntryKind::kFile, std::move(content), {}};
  }
  Profile profile;
  profile.chunk_bytes = kChunkBytesMax;
  profile.max_links = 3;
  compare(tree, profile, 3);
}

// The same bytes once as a raw file and once as a dag-pb directory node are two sections, and the second has its
// children.
TEST(OnePass, SameBytesAsFileAndAsDirectory) {
  TreeNode directory{EntryKind::kDirectory, {}, {}};
  directory.children["x"] = {EntryKind::kFile, "content of x", {}};
  Profile profile;
  TwoPassWriter maker(profile);
  const std::string block_cid = maker.make(directory).cid;
  const std::string car = maker.car(block_cid);
  const size_t header_bytes = car_v1_header_bytes(block_cid.size());
  const DecodedVarint length = decode_varint(as_bytes(car).subspan(header_bytes));
  const size_t section = header_bytes + length.length_bytes;
  const std::string block = car.substr(section + block_cid.size(), length.value - block_cid.size());
  TreeNode tree{EntryKind::kDirectory, {}, {}};
  tree.children["a-file"] = {EntryKind::kFile, block, {}};
  tree.children["directory"] = directory;
  compare(tree, profile, 1);
  const OnePass got = write_in_one_pass(tree, profile, Dedup::kBlocks, 1);
  EXPECT_EQ(got.totals.block_count, 4u) << "root, raw file, directory, x";
}

}  // namespace
}  // namespace piecework::engine
