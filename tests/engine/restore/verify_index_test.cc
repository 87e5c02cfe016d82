// The index of blocks: everything that was put in is found, nothing else is, of equal CIDs the first in the CAR stays.
#include "engine/restore/verify_index.h"

#include <gtest/gtest.h>

#include "kernels/base/endian.h"
#include "kernels/base/units.h"

namespace piecework::engine {
namespace {

BlockKey numbered_key(uint64_t number) {
  uint8_t bytes[8];
  store_le(bytes, number);
  return block_key(bytes);
}

TEST(BlockIndex, FindsWhatIsThereAndNothingElse) {
  for (const uint64_t count : {0u, 1u, 2u, 3u, 10u, 1000u, 20'000u}) {
    BlockIndex index(kMiB);
    for (uint64_t i = 0; i < count; ++i) {
      BlockEntry entry;
      entry.key = numbered_key(i);
      entry.content_bytes = i;
      ASSERT_TRUE(index.append(entry));
    }
    EXPECT_EQ(index.sort(), 0u);
    for (uint64_t i = 0; i < count; ++i) {
      const BlockEntry* found = index.find(numbered_key(i));
      ASSERT_NE(found, nullptr) << i;
      EXPECT_EQ(found->content_bytes, i);
    }
    for (uint64_t i = count; i < count + 1000; ++i) EXPECT_EQ(index.find(numbered_key(i)), nullptr);
  }
}

TEST(BlockIndex, FindsKeysThatAreNotSpreadEvenly) {
  BlockIndex index(kMiB);
  for (uint64_t i = 0; i < 1000; ++i) {
    BlockEntry entry;
    entry.key = {i < 500 ? i / 7 : UINT64_MAX - i, i};
    ASSERT_TRUE(index.append(entry));
  }
  index.sort();
  for (uint64_t i = 0; i < 1000; ++i) EXPECT_NE(index.find({i < 500 ? i / 7 : UINT64_MAX - i, i}), nullptr) << i;
  EXPECT_EQ(index.find({0, 500}), nullptr);
  EXPECT_EQ(index.find({uint64_t{1} << 63, 0}), nullptr);
  EXPECT_EQ(index.find({UINT64_MAX, UINT64_MAX}), nullptr);
}

TEST(BlockIndex, OfEqualBlocksTheFirstInTheCarStays) {
  BlockIndex index(kMiB);
  for (const uint64_t offset_bytes : {300u, 100u, 200u}) {
    BlockEntry entry;
    entry.key = numbered_key(7);
    entry.offset_bytes = offset_bytes & kCarOffsetMax;
    ASSERT_TRUE(index.append(entry));
  }
  EXPECT_EQ(index.sort(), 2u);
  EXPECT_EQ(index.entry_count(), 1u);
  EXPECT_EQ(index.find(numbered_key(7))->offset_bytes, 100u);
}

TEST(BlockIndex, KeysTellVersionsAndCodecsApart) {
  const Digest32 digest{};
  const BlockKey raw = block_key(sha256_cid(1, kCodecRaw, digest).bytes());
  const BlockKey node = block_key(sha256_cid(1, kCodecDagPb, digest).bytes());
  const BlockKey v0 = block_key(sha256_cid(0, kCodecDagPb, digest).bytes());
  EXPECT_NE(raw, node);
  EXPECT_NE(node, v0);
}

TEST(BlockIndex, RefusesMoreThanItsMemory) {
  BlockIndex index(2 * sizeof(BlockEntry));
  EXPECT_TRUE(index.append({}));
  EXPECT_TRUE(index.append({}));
  const Status full = index.append({});
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kResourceExhausted);
}

}  // namespace
}  // namespace piecework::engine
