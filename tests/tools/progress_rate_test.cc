// Rates and times left, from invented clocks.
#include "tools/progress_rate.h"

#include <gtest/gtest.h>

namespace piecework::tools {
namespace {

constexpr uint64_t kMegabyte = 1'000'000;

TEST(RateEstimatorTest, SteadyWorkIsMeasuredFromTheSecondSample) {
  RateEstimator rate;
  rate.add(100, 0);
  EXPECT_EQ(rate.bytes_per_second(), 0);
  for (unsigned second = 1; second <= 50; ++second) {
    rate.add(100 + second, second * kMegabyte);
    EXPECT_NEAR(rate.bytes_per_second(), 1e6, 1);
  }
}

TEST(RateEstimatorTest, UnevenSamplesOfSteadyWorkDoNotMatter) {
  RateEstimator rate;
  for (const double seconds : {0.0, 0.1, 5.0, 5.2, 40.0}) rate.add(seconds, static_cast<uint64_t>(seconds * 1e6));
  EXPECT_NEAR(rate.bytes_per_second(), 1e6, 1);
}

TEST(RateEstimatorTest, FollowsAChangeAndAStall) {
  RateEstimator rate;
  for (unsigned second = 0; second <= 30; ++second) rate.add(second, second * kMegabyte);
  for (int second = 31; second <= 90; ++second) rate.add(second, 30 * kMegabyte);
  EXPECT_LT(rate.bytes_per_second(), 1e4);
}

TEST(RateEstimatorTest, RepeatedTimesAreIgnored) {
  RateEstimator rate;
  rate.add(1, 0);
  rate.add(1, 5 * kMegabyte);
  EXPECT_EQ(rate.bytes_per_second(), 0);
}

TEST(RateEstimatorTest, TimeLeftNeedsATotalAndMovement) {
  RateEstimator rate;
  EXPECT_FALSE(rate.seconds_left({0, 10 * kMegabyte}));
  rate.add(0, 0);
  rate.add(1, kMegabyte);
  EXPECT_FALSE(rate.seconds_left({kMegabyte, 0}));
  EXPECT_NEAR(rate.seconds_left({kMegabyte, 10 * kMegabyte}).value(), 9, 0.01);
  EXPECT_EQ(rate.seconds_left({12 * kMegabyte, 10 * kMegabyte}).value(), 0);
}

TEST(FormatDurationTest, GrowsWithTheTime) {
  EXPECT_EQ(format_duration(6.6), "0:07");
  EXPECT_EQ(format_duration(754), "12:34");
  EXPECT_EQ(format_duration(3723), "1:02:03");
  EXPECT_EQ(format_duration(3 * 86400 + 4 * 3600 + 5 * 60), "3 d 04:05");
}

TEST(FormatProgressTest, SaysWhatIsKnown) {
  RateEstimator rate;
  rate.add(0, 0);
  rate.add(1, 512 * 1024);
  EXPECT_EQ(format_progress({512 * 1024, 1024 * 1024}, rate), "512.0 KiB of 1.0 MiB (50 %), 524 kB/s, 0:01 left");
  EXPECT_EQ(format_progress({512 * 1024, 0}, rate), "512.0 KiB, 524 kB/s");
}

}  // namespace
}  // namespace piecework::tools
