// Which symlinks stay inside the target.
#include "engine/restore/restore_last.h"

#include <gtest/gtest.h>

namespace piecework::engine {
namespace {

TEST(StaysInside, RelativeTargetsBelow) {
  for (const char* target : {"a", "./a", "a/b/c", "a//b", ".", "a/.", "..b", "..."}) {
    EXPECT_TRUE(stays_inside("link", target)) << target;
  }
}

TEST(StaysInside, UpOnlyAsFarAsTheTarget) {
  EXPECT_TRUE(stays_inside("d/link", ".."));
  EXPECT_TRUE(stays_inside("d/e/link", "../../a"));
  EXPECT_TRUE(stays_inside("d/e/link", ".././../a"));
  EXPECT_FALSE(stays_inside("link", ".."));
  EXPECT_FALSE(stays_inside("d/link", "../.."));
  EXPECT_FALSE(stays_inside("d/e/link", "../../../a"));
}

TEST(StaysInside, AbsoluteTargetsLeadOut) {
  EXPECT_FALSE(stays_inside("link", "/"));
  EXPECT_FALSE(stays_inside("d/link", "//a"));
}

// "a" may itself be a symlink to a directory that lies higher.
TEST(StaysInside, NoWayUpBehindAName) {
  EXPECT_FALSE(stays_inside("d/e/link", "a/.."));
  EXPECT_FALSE(stays_inside("d/e/link", "../a/../b"));
}

}  // namespace
}  // namespace piecework::engine
