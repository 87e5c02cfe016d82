// The pipeline's slots for a budget of memory and for the blocks of a batch.
#include "engine/pack_limits.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace piecework::engine {
namespace {

uint64_t all_bytes(const PipelineLimits& limits) { return limits.slot_bytes * limits.slot_count; }

LayoutTotals batch_of(uint64_t block_count, uint64_t block_bytes, uint64_t stored_section_bytes_max = 0) {
  LayoutTotals totals;
  totals.block_count = block_count;
  totals.car_bytes = block_count * block_bytes;
  totals.stored_section_bytes_max = stored_section_bytes_max;
  return totals;
}

TEST(PackLimits, SmallBlocksGetMoreAndSmallerSlots) {
  const PipelineLimits usual = pipeline_limits(2, 256 * kMiB).value();
  const PipelineLimits small = limits_for_batch(usual, batch_of(100'000, 16 * kKiB));
  EXPECT_LT(small.slot_bytes, usual.slot_bytes);
  EXPECT_GT(small.slot_count, usual.slot_count);
  EXPECT_LE(all_bytes(small), all_bytes(usual));
  const PipelineLimits large = limits_for_batch(usual, batch_of(1000, kMiB));
  EXPECT_EQ(large.slot_bytes, usual.slot_bytes);
  EXPECT_EQ(large.slot_count, usual.slot_count);
}

TEST(PackLimits, ALongStoredBlockFitsASlotAmongSmallOnes) {
  const PipelineLimits usual = pipeline_limits(2, 256 * kMiB).value();
  for (const uint64_t longest_bytes : {2 * kMiB, 8 * kMiB, 12 * kMiB, 32 * kMiB}) {
    const PipelineLimits limits = limits_for_batch(usual, batch_of(100'000, 16 * kKiB, longest_bytes));
    EXPECT_GE(limits.slot_bytes, longest_bytes + kPageBytes);
    EXPECT_LE(all_bytes(limits), std::max(all_bytes(usual), 2 * limits.slot_bytes));
    EXPECT_GE(limits.slot_count, 2u);
  }
}

TEST(PackLimits, ABudgetThatIsTooSmallIsAnError) {
  EXPECT_TRUE(pipeline_limits(1, kPackMemoryBytesMin));
  EXPECT_FALSE(pipeline_limits(1, kPackMemoryBytesMin - 1));
}

}  // namespace
}  // namespace piecework::engine
