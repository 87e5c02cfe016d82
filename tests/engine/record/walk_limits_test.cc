// Each limit of a walk, up to it and one past it, and what is said.
#include "engine/record/walk_limits.h"

#include <gtest/gtest.h>

#include <vector>

namespace piecework::engine {
namespace {

std::vector<std::string> said_by(const WalkLimits& limits) {
  std::vector<std::string> lines;
  limits.report("baga", [&lines](const std::string& line) { lines.push_back(line); });
  return lines;
}

TEST(WalkLimits, RepeatsAsOftenAsLinksAllow) {
  WalkLimits limits(10);
  for (uint64_t i = 0; i + 1 < 1'000'080; ++i) limits.count_link(255);
  EXPECT_TRUE(limits.may_repeat(255));
  EXPECT_TRUE(said_by(limits).empty());
  limits.count_link(0);
  EXPECT_FALSE(limits.may_repeat(0));
  EXPECT_FALSE(limits.may_repeat(0));
  ASSERT_EQ(said_by(limits).size(), 1u);
  EXPECT_EQ(said_by(limits)[0].find("piece baga: 2 links"), 0u);
}

TEST(WalkLimits, LongPathsAndLargeNodesAreManyVisits) {
  WalkLimits paths(0);
  for (int i = 0; i < 1'000'000 / 17; ++i) paths.count_link(4096);
  EXPECT_TRUE(paths.may_repeat(0));
  paths.count_link(4096);
  EXPECT_FALSE(paths.may_repeat(0));
  WalkLimits nodes(0);
  for (int i = 0; i < 1'000'000 / 4096 + 1; ++i) EXPECT_TRUE(nodes.may_repeat(1 << 20));
  EXPECT_FALSE(nodes.may_repeat(1));
}

TEST(WalkLimits, NamesAndPaths) {
  WalkLimits limits(0);
  EXPECT_TRUE(limits.can_be_listed(0, 255));
  EXPECT_FALSE(limits.can_be_listed(0, 256));
  EXPECT_TRUE(limits.can_be_listed(4000, 95));
  EXPECT_FALSE(limits.can_be_listed(4000, 96));
  ASSERT_EQ(said_by(limits).size(), 1u);
  EXPECT_EQ(said_by(limits)[0].find("piece baga: 2 entries"), 0u);
}

TEST(WalkLimits, NodesAreHeldUpTo128MiB) {
  WalkLimits limits(0);
  constexpr uint64_t kNodeBytes = 16 << 20;  // twice that are held
  for (size_t depth = 0; depth < 3; ++depth) EXPECT_TRUE(limits.enter(depth, kNodeBytes, 0));
  EXPECT_FALSE(limits.enter(3, kNodeBytes, 0));
  EXPECT_TRUE(limits.enter(3, kNodeBytes / 2, 0));
  limits.leave(kNodeBytes);
  EXPECT_TRUE(limits.enter(3, kNodeBytes / 2, 0));
  EXPECT_TRUE(limits.enter(9'999, 100, WalkLimits::kFileBytesMax));
  EXPECT_FALSE(limits.enter(9'999, 100, WalkLimits::kFileBytesMax + 1));
  EXPECT_FALSE(limits.enter(10'000, 100, 0));
  ASSERT_EQ(said_by(limits).size(), 1u);
  EXPECT_EQ(said_by(limits)[0].find("piece baga: 3 nodes"), 0u);
}

}  // namespace
}  // namespace piecework::engine
