// The rule for known blocks, on batches written out by hand; tests/cli/test_known_blocks.py has real ones.
#include "engine/plan/known_blocks.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

using External = StoredBlock::External;

std::vector<uint8_t> cid_of(const std::string& name) {
  std::vector<uint8_t> bytes = {1, 0x55, 0x12, 0x20};
  const Digest32 digest = kernels::sha256(as_bytes(name));
  bytes.insert(bytes.end(), digest.begin(), digest.end());
  return bytes;
}

bool contains(const KnownBlocks& blocks, const std::vector<uint8_t>& cid) {
  const auto view = decode_cid(cid);
  EXPECT_TRUE(view.has_value());
  return view && blocks.contains(*view);
}

// A record of a batch: a block by a name, with so many children behind it.
struct Block {
  enum class Is { kWritten, kReference, kExternal, kDirectory };
  std::string name;
  uint32_t child_count = 0;
  Is is = Is::kWritten;
};
constexpr Block::Is kReference = Block::Is::kReference;
constexpr Block::Is kExternal = Block::Is::kExternal;
constexpr Block::Is kDirectory = Block::Is::kDirectory;

using Batch = std::vector<Block>;

template <class Visit>
void visit_records(const Batch& batch, Visit visit) {
  for (const Block& block : batch) {
    const std::vector<uint8_t> cid = cid_of(block.name);
    LayoutRecord record{.kind = block.is == kDirectory ? RecordKind::kDirectory : RecordKind::kBlock};
    record.is_reference = block.is == kReference;
    record.child_count = block.child_count;
    if (block.is != kDirectory) record.stored.cid = cid;
    if (block.is == kExternal) record.stored.external = External::kMissing;
    visit(record);
  }
}

// What is known after the rounds that read_known.cc makes.
KnownBlocks known_of(const std::vector<Batch>& batches, bool for_roots = false) {
  KnownBlocks blocks(for_roots);
  for (const Batch& batch : batches) visit_records(batch, [&](const LayoutRecord& record) { blocks.add(record); });
  if (blocks.needs_passage()) {
    for (const Batch& batch : batches) {
      visit_records(batch, [&](const LayoutRecord& record) { blocks.add_held(record); });
    }
  }
  blocks.seal();
  for (bool has_taken_out = true; has_taken_out;) {
    has_taken_out = false;
    for (const Batch& batch : batches) {
      KnownBlocks::Check check(blocks);
      visit_records(batch, [&](const LayoutRecord& record) { check.add(record); });
      if (check.finish()) has_taken_out = true;
    }
  }
  return blocks;
}

std::string known_names(const std::vector<Batch>& batches, const std::string& names) {
  const KnownBlocks blocks = known_of(batches);
  const KnownBlocks for_roots = known_of(batches, true);
  std::string known;
  for (const char name : names) {
    const std::vector<uint8_t> cid = cid_of(std::string(1, name));
    if (contains(blocks, cid)) known += name;
    EXPECT_FALSE(contains(for_roots, cid));
    EXPECT_EQ(for_roots.is_incomplete(cid), blocks.is_incomplete(cid)) << name;
  }
  return known;
}

TEST(KnownBlocks, AllOfAWholeBatch) {
  EXPECT_EQ(known_names({{{"", 2, kDirectory}, {"a", 2}, {"b"}, {"c"}, {"d"}}}, "abcdx"), "abcd");
  EXPECT_EQ(known_names({}, "a"), "");
}

TEST(KnownBlocks, WhatIsAboveAMissingBlockIsNotKnown) {
  // a(b(x, c), d), e
  const Batch batch = {{"", 2, kDirectory}, {"a", 2}, {"b", 2}, {"x", 0, kExternal}, {"c"}, {"d"}, {"e"}};
  EXPECT_EQ(known_names({batch}, "abcdex"), "cde");
  EXPECT_EQ(known_names({batch, {{"x"}}}, "abcdex"), "abcdex");
  EXPECT_EQ(known_names({{{"x"}}, batch}, "abcdex"), "abcdex");
}

TEST(KnownBlocks, ReferencesLeadToWhatTheyReferTo) {
  // a(b(x)), c(b), d(e), f(e)
  const Batch batch = {{"", 4, kDirectory}, {"a", 1}, {"b", 1}, {"x", 0, kExternal}, {"c", 1}, {"b", 0, kReference},
                       {"d", 1}, {"e"}, {"f", 1}, {"e", 0, kReference}};
  EXPECT_EQ(known_names({batch}, "abcdefx"), "def");
}

TEST(KnownBlocks, AcrossBatchesInAnyOrder) {
  // c misses x, b refers to c, a to b; y misses nothing.
  const Batch a = {{"a", 2}, {"b", 0, kExternal}, {"y"}};
  const Batch b = {{"b", 1}, {"c", 0, kExternal}};
  const Batch c = {{"c", 1}, {"x", 0, kExternal}};
  EXPECT_EQ(known_names({a, b, c}, "abcxy"), "y");
  EXPECT_EQ(known_names({c, b, a}, "abcxy"), "y");
  EXPECT_EQ(known_names({a, b, c, {{"x"}}}, "abcxy"), "abcxy");
  // The same block, whole in another batch.
  EXPECT_EQ(known_names({a, b, {{"c", 1}, {"x"}}}, "abcxy"), "abcxy");
}

TEST(KnownBlocks, BatchesThatCompleteEachOther) {
  // One has a(b, c(d)) without c and d, the other without b.
  const Batch one = {{"a", 2}, {"b"}, {"c", 0, kExternal}};
  const Batch other = {{"", 2, kDirectory}, {"a", 2}, {"b", 0, kExternal}, {"c", 1}, {"d"}};
  EXPECT_EQ(known_names({one, other}, "abcd"), "abcd");
  EXPECT_EQ(known_names({one}, "abcd"), "b");
  EXPECT_EQ(known_names({other}, "abcd"), "cd");
}

TEST(KnownBlocks, AnIdentityCidIsNotLeftOut) {
  const std::vector<uint8_t> identity = {1, 0x55, 0, 1, 'x'};
  LayoutRecord record{.kind = RecordKind::kBlock};
  record.stored.cid = identity;
  KnownBlocks blocks(false);
  blocks.add(record);
  blocks.seal();
  EXPECT_FALSE(contains(blocks, identity));
  EXPECT_FALSE(blocks.is_incomplete(identity));
}

TEST(KnownBlocks, ChildrenThatDoNotCome) {
  const KnownBlocks blocks = known_of({{{"a", 7}, {"x", 0, kExternal}}});
  EXPECT_FALSE(contains(blocks, cid_of("a")));
}

}  // namespace
}  // namespace piecework::engine
