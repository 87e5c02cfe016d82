// Limits and medians of a suite, from invented speeds.
#include "tools/bench_suite.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

namespace piecework::tools {
namespace {

// A figure that measures `speeds` one after the other.
Figure invented(std::string name, std::vector<double> speeds) {
  const auto next = std::make_shared<size_t>(0);
  return {.name = std::move(name), .measure = [speeds, next]() -> Result<double> { return speeds.at((*next)++); }};
}

TEST(BenchSuiteTest, ReportsMediansAndLimitsOfWorkDoneInTurn) {
  BenchSuite suite;
  suite.add(invented("read", {4, 100, 1}));
  suite.add(invented("hash", {12, 12, 12}));
  Figure both = invented("both", {3, 5, 4});
  both.limit_names = {"read", "hash"};
  both.limit_factor = 2;
  suite.add(both);
  ASSERT_TRUE(suite.run(3));
  EXPECT_EQ(suite.figures()[0].bytes_per_second(), 4);
  EXPECT_EQ(suite.limit_of(suite.figures()[0]), 0);
  EXPECT_EQ(suite.figures()[2].bytes_per_second(), 4);
  EXPECT_EQ(suite.figures()[2].limit_text(), "read + hash");
  EXPECT_NEAR(suite.limit_of(suite.figures()[2]), 6, 1e-9);  // 2 / (1/4 + 1/12)
}

TEST(BenchSuiteTest, TheFirstErrorEndsTheRun) {
  BenchSuite suite;
  int later_count = 0;
  suite.add({.name = "fails",
             .measure = []() -> Result<double> { return fail(ErrorCode::kNoSpace, ErrorSide::kDestination, "full"); }});
  suite.add({.name = "later", .measure = [&later_count]() -> Result<double> { return ++later_count; }});
  const Status finished = suite.run(2);
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().code, ErrorCode::kNoSpace);
  EXPECT_EQ(later_count, 0);
}

}  // namespace
}  // namespace piecework::tools
