// Work that moves, stands still and goes on, on a clock of the test's own.
#include "tools/stall_watch.h"

#include <gtest/gtest.h>

namespace piecework::tools {
namespace {

TEST(StallWatchTest, SaysOnceThatItStallsAndOnceThatItGoesOn) {
  StallWatch watch(10);
  for (int second = 0; second < 10; ++second) EXPECT_FALSE(watch.observe(second, 100));
  const std::optional<StallChange> stalled = watch.observe(10, 100);
  ASSERT_TRUE(stalled);
  EXPECT_TRUE(stalled->is_stalled);
  EXPECT_EQ(stalled->seconds, 10);
  for (int second = 11; second < 60; ++second) EXPECT_FALSE(watch.observe(second, 100)) << second;
  const std::optional<StallChange> resumed = watch.observe(60, 101);
  ASSERT_TRUE(resumed);
  EXPECT_FALSE(resumed->is_stalled);
  EXPECT_EQ(resumed->seconds, 60);
  for (int second = 61; second < 70; ++second) EXPECT_FALSE(watch.observe(second, 101));
  EXPECT_TRUE(watch.observe(70, 101));
}

TEST(StallWatchTest, NothingIsSaidWhileAnythingMoves) {
  StallWatch watch(10);
  for (unsigned second = 0; second < 100; ++second) EXPECT_FALSE(watch.observe(second, second / 9));
  // Work that is started over moves, too.
  EXPECT_FALSE(watch.observe(105, 0));
  EXPECT_FALSE(watch.observe(110, 0));
}

TEST(StallWatchTest, AProcessThatStoodStillItselfBlamesNobody) {
  StallWatch watch(10);
  EXPECT_FALSE(watch.observe(0, 5));
  EXPECT_FALSE(watch.observe(3600, 5));
  EXPECT_FALSE(watch.observe(3601, 6));
}

}  // namespace
}  // namespace piecework::tools
