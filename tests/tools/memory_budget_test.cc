// The default of --memory under the limits of made-up control groups.
#include "tools/memory_budget.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "engine/pack_limits.h"
#include "kernels/base/units.h"
#include "tests/support/temp_dir.h"

namespace piecework::tools {
namespace {

class MemoryBudgetTest : public ::testing::Test {
 protected:
  // A version 2 group with this memory.max.
  io::LimitSources limited_to(uint64_t limit_bytes) {
    testing::write_file(temp_ / "self", "0::/job\n");
    std::filesystem::create_directories(temp_ / "cgroup/job");
    testing::write_file(temp_ / "cgroup/job/memory.max", std::to_string(limit_bytes) + "\n");
    return {temp_ / "self", temp_ / "cgroup"};
  }
  const io::LimitSources unlimited_{"/does/not/exist", "/does/not/exist"};
  testing::TempDir temp_;
};

TEST_F(MemoryBudgetTest, TheRuleWithoutALimit) {
  EXPECT_EQ(memory_budget(0, 1, unlimited_)->bytes, 256 * kMiB);
  EXPECT_EQ(memory_budget(0, 4, unlimited_)->bytes, 256 * kMiB);
  EXPECT_EQ(memory_budget(0, 6, unlimited_)->bytes, 304 * kMiB);
  EXPECT_EQ(memory_budget(100 * kMiB, 6, unlimited_)->bytes, 100 * kMiB);
  EXPECT_EQ(memory_budget(0, 6, unlimited_)->notice, "");
}

TEST_F(MemoryBudgetTest, ALargeLimitChangesNothing) {
  const MemoryBudget budget = memory_budget(0, 4, limited_to(kGiB)).value();
  EXPECT_EQ(budget.bytes, 256 * kMiB);
  EXPECT_EQ(budget.notice, "");
}

TEST_F(MemoryBudgetTest, ASmallLimitShrinksTheDefaultAndSaysSo) {
  const MemoryBudget budget = memory_budget(0, 4, limited_to(128 * kMiB)).value();
  EXPECT_EQ(budget.bytes, 112 * kMiB);
  EXPECT_NE(budget.notice.find("112.0 MiB"), std::string::npos) << budget.notice;
  EXPECT_NE(budget.notice.find("128.0 MiB"), std::string::npos) << budget.notice;
}

TEST_F(MemoryBudgetTest, WhatWasAskedForIsKept) {
  const MemoryBudget fits = memory_budget(100 * kMiB, 4, limited_to(128 * kMiB)).value();
  EXPECT_EQ(fits.bytes, 100 * kMiB);
  EXPECT_EQ(fits.notice, "");
  const MemoryBudget too_much = memory_budget(512 * kMiB, 4, limited_to(128 * kMiB)).value();
  EXPECT_EQ(too_much.bytes, 512 * kMiB);
  EXPECT_NE(too_much.notice.find("warning"), std::string::npos) << too_much.notice;
}

TEST_F(MemoryBudgetTest, TooSmallALimitIsAnErrorThatNamesTheSmallestThatWorks) {
  const uint64_t smallest_bytes = div_ceil(engine::kPackMemoryBytesMin * 8, 7);
  const Result<MemoryBudget> refused = memory_budget(0, 2, limited_to(smallest_bytes - 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_NE(refused.error().message.find(std::to_string(smallest_bytes)), std::string::npos) << refused.error().message;
  const Result<MemoryBudget> accepted = memory_budget(0, 2, limited_to(smallest_bytes));
  ASSERT_TRUE(accepted);
  EXPECT_TRUE(engine::pipeline_limits(2, accepted->bytes)) << accepted->bytes;
}

}  // namespace
}  // namespace piecework::tools
