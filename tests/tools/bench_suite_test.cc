// Limits and medians of a suite, from invented speeds.
#include "tools/bench_suite.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

namespace piecework::tools {
namespace {

Sample at(double bytes_per_second) { return {.bytes = 100, .seconds = 100 / bytes_per_second, .cpu_seconds = 50}; }

// A figure that measures `samples` one after the other.
Figure invented(std::string name, std::vector<Sample> samples) {
  const auto next = std::make_shared<size_t>(0);
  return {.name = std::move(name), .measure = [samples, next]() -> Result<Sample> { return samples.at((*next)++); }};
}

TEST(BenchSuiteTest, ReportsMediansAndTheLeastLimit) {
  BenchSuite suite;
  suite.add(invented("read", {at(4), at(100), at(1)}));
  suite.add(invented("hash", {at(12), at(12), at(12)}));
  suite.add(invented("write", {at(5), at(5), at(5)}));
  Figure both = invented("both", {at(3), at(5), at(4)});
  both.limits = {{.parts = {{"read"}, {"hash"}}, .factor = 2}, {.parts = {{"write", 0.5}}}};
  suite.add(both);
  Figure once = invented("once", {at(3), at(3), at(3)});
  once.limits = {{.parts = {{"hash", 2}}, .factor = 1}, {.parts = {{"write"}}, .factor = 3}};
  suite.add(once);
  ASSERT_TRUE(suite.run(3));

  const Figure& read = suite.figures()[0];
  EXPECT_EQ(read.bytes_per_second(), 4);
  EXPECT_EQ(read.bytes_per_cpu_second(), 2);
  EXPECT_FALSE(suite.limit_of(read).has_value());

  const Figure& measured_both = suite.figures()[3];
  EXPECT_EQ(measured_both.bytes_per_second(), 4);
  const std::optional<MeasuredLimit> limit = suite.limit_of(measured_both);
  ASSERT_TRUE(limit.has_value());
  EXPECT_EQ(limit->text, "2 x (read + hash)");
  EXPECT_NEAR(limit->bytes_per_second, 6, 1e-9);  // 2 / (1/4 + 1/12), less than 5 / 0.5
  EXPECT_NEAR(suite.ratio_to(measured_both, "hash"), 4.0 / 12, 1e-9);
  EXPECT_NEAR(suite.ratio_to(measured_both, "read"), 3.0 / 4, 1e-9);  // of the rounds 3/4, 5/100 and 4/1

  const std::optional<MeasuredLimit> other_limit = suite.limit_of(suite.figures()[4]);
  ASSERT_TRUE(other_limit.has_value());
  EXPECT_EQ(other_limit->text, "2.00 hash");
  EXPECT_NEAR(other_limit->bytes_per_second, 6, 1e-9);
}

TEST(BenchSuiteTest, ReportsTheMostMemoryAndWaitsOnlyWhereAllAreKnown) {
  Sample little = at(1);
  little.resident_bytes = 10;
  little.io_wait_seconds = 25;  // of 100
  Sample much = at(1);
  much.resident_bytes = 30;
  much.cached_fraction = 0.5;
  BenchSuite suite;
  suite.add(invented("known", {little, little}));
  suite.add(invented("unknown", {little, much}));
  ASSERT_TRUE(suite.run(2));
  EXPECT_EQ(suite.figures()[0].io_wait_fraction(), 0.25);
  EXPECT_EQ(suite.figures()[0].cached_fraction(), 0);
  EXPECT_FALSE(suite.figures()[1].io_wait_fraction().has_value());
  EXPECT_EQ(suite.figures()[1].resident_bytes(), 30u);
  EXPECT_EQ(suite.figures()[1].cached_fraction(), 0.5);
}

TEST(BenchSuiteTest, TheFirstErrorEndsTheRun) {
  BenchSuite suite;
  int later_count = 0;
  suite.add({.name = "fails",
             .measure = []() -> Result<Sample> { return fail(ErrorCode::kNoSpace, ErrorSide::kDestination, "full"); }});
  suite.add({.name = "later", .measure = [&later_count]() -> Result<Sample> {
               ++later_count;
               return at(1);
             }});
  const Status finished = suite.run(2);
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().code, ErrorCode::kNoSpace);
  EXPECT_EQ(later_count, 0);
}

}  // namespace
}  // namespace piecework::tools
