// --task: numbers, and the index variables of design.md section 6 with what each scheduler writes into them.
#include "tools/task_index.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace piecework::tools {
namespace {

using Environment = std::map<std::string, std::string>;

Result<TaskIndex> task(const Environment& environment, std::optional<int64_t> offset = std::nullopt) {
  return task_from_environment(
      [&](const char* name) -> const char* {
        const auto found = environment.find(name);
        return found == environment.end() ? nullptr : found->second.c_str();
      },
      offset);
}

std::string failure_of(const Result<TaskIndex>& result) {
  if (result) return "batch " + std::to_string(result->batch);
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(result.error().side, ErrorSide::kConfig);
  return result.error().message;
}

TEST(ParseTaskTest, TakesWholeNumbersFromZeroOn) {
  EXPECT_EQ(parse_task("0").value(), 0u);
  EXPECT_EQ(parse_task("007").value(), 7u);
  EXPECT_EQ(parse_task("4294967295").value(), UINT32_MAX);
  for (const char* text : {"", "-1", "+1", "1.0", "1 ", "0x1", "4294967296", "99999999999999999999", "3,4", "Auto"})
    EXPECT_FALSE(parse_task(text)) << text;
}

TEST(TaskFromEnvironmentTest, EveryVariableCounts) {
  for (const char* name : {"SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "AWS_BATCH_JOB_ARRAY_INDEX",
                           "NOMAD_ALLOC_INDEX", "PBS_ARRAY_INDEX"}) {
    EXPECT_EQ(task({{name, "0"}})->batch, 0u) << name;
    EXPECT_EQ(task({{name, "12"}})->batch, 12u) << name;
  }
  for (const char* name : {"LSB_JOBINDEX", "SGE_TASK_ID"}) {
    EXPECT_EQ(task({{name, "1"}})->batch, 0u) << name;
    EXPECT_EQ(task({{name, "12"}})->batch, 11u) << name;
  }
}

TEST(TaskFromEnvironmentTest, AGivenOffsetHoldsForAll) {
  EXPECT_EQ(task({{"SLURM_ARRAY_TASK_ID", "12"}}, 10)->batch, 2u);
  EXPECT_EQ(task({{"SGE_TASK_ID", "12"}}, 0)->batch, 12u);
  EXPECT_EQ(task({{"LSB_JOBINDEX", "12"}}, 12)->batch, 0u);
  EXPECT_EQ(task({{"SLURM_ARRAY_TASK_ID", "12"}}, -1000)->batch, 1012u);
}

TEST(TaskFromEnvironmentTest, SaysWhereTheNumberCameFrom) {
  EXPECT_EQ(task({{"SGE_TASK_ID", "3"}})->origin, "SGE_TASK_ID=3, offset 1");
}

TEST(TaskFromEnvironmentTest, UnsetIsSaidInSeveralWays) {
  const Environment unset = {{"LSB_JOBINDEX", "0"}, {"SGE_TASK_ID", "undefined"}, {"SLURM_ARRAY_TASK_ID", ""}};
  const std::string message = failure_of(task(unset));
  for (const char* name : {"SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "AWS_BATCH_JOB_ARRAY_INDEX",
                           "NOMAD_ALLOC_INDEX", "PBS_ARRAY_INDEX", "LSB_JOBINDEX", "SGE_TASK_ID"})
    EXPECT_NE(message.find(name), std::string::npos) << name;
  Environment one = unset;
  one["PBS_ARRAY_INDEX"] = "4";
  EXPECT_EQ(task(one)->batch, 4u);
  // What means "unset" in one variable is a value, or none at all, in another.
  EXPECT_EQ(task({{"SLURM_ARRAY_TASK_ID", "0"}, {"LSB_JOBINDEX", "0"}})->batch, 0u);
  EXPECT_NE(failure_of(task({{"SLURM_ARRAY_TASK_ID", "undefined"}})).find("undefined"), std::string::npos);
}

TEST(TaskFromEnvironmentTest, TwoThatDifferAreRefused) {
  const std::string message = failure_of(task({{"SLURM_ARRAY_TASK_ID", "3"}, {"PBS_ARRAY_INDEX", "4"}}));
  EXPECT_NE(message.find("SLURM_ARRAY_TASK_ID=3"), std::string::npos) << message;
  EXPECT_NE(message.find("PBS_ARRAY_INDEX=4"), std::string::npos) << message;
  EXPECT_EQ(task({{"SLURM_ARRAY_TASK_ID", "3"}, {"PBS_ARRAY_INDEX", "3"}})->batch, 3u);
  EXPECT_EQ(task({{"LSB_JOBINDEX", "3"}, {"SGE_TASK_ID", "3"}})->batch, 2u);
  // Different values are refused even where the offsets make one batch of them, and equal values where they make two.
  EXPECT_FALSE(task({{"SLURM_ARRAY_TASK_ID", "2"}, {"SGE_TASK_ID", "3"}}));
  EXPECT_FALSE(task({{"SLURM_ARRAY_TASK_ID", "3"}, {"SGE_TASK_ID", "3"}}));
  EXPECT_EQ(task({{"SLURM_ARRAY_TASK_ID", "3"}, {"SGE_TASK_ID", "3"}}, 1)->batch, 2u);
}

TEST(TaskFromEnvironmentTest, WhatIsNoBatchIsRefused) {
  for (const char* value : {"-1", "x", "3x", " 3", "1e3", "99999999999999999999"})
    EXPECT_NE(failure_of(task({{"SLURM_ARRAY_TASK_ID", value}})).find("SLURM_ARRAY_TASK_ID"), std::string::npos)
        << value;
  EXPECT_NE(failure_of(task({{"SGE_TASK_ID", "0"}})).find("batch -1"), std::string::npos);
  EXPECT_NE(failure_of(task({{"SLURM_ARRAY_TASK_ID", "3"}}, 4)).find("batch -1"), std::string::npos);
  EXPECT_FALSE(task({{"SLURM_ARRAY_TASK_ID", "4294967296"}}));
  EXPECT_FALSE(task({{"SLURM_ARRAY_TASK_ID", "0"}}, INT64_MIN / 2));
}

}  // namespace
}  // namespace piecework::tools
