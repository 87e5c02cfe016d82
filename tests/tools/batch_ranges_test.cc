// The list that `sbatch --array` takes.
#include "tools/batch_ranges.h"

#include <gtest/gtest.h>

namespace piecework::tools {
namespace {

TEST(FormatRangesTest, JoinsNeighboursOnly) {
  EXPECT_EQ(format_ranges({}), "");
  EXPECT_EQ(format_ranges({7}), "7");
  EXPECT_EQ(format_ranges({0, 1}), "0-1");
  EXPECT_EQ(format_ranges({0, 2, 4}), "0,2,4");
  EXPECT_EQ(format_ranges({3, 17, 40, 41, 42, 43, 44}), "3,17,40-44");
  EXPECT_EQ(format_ranges({0, 1, 2, 5, 6, 4294967294, 4294967295}), "0-2,5-6,4294967294-4294967295");
}

TEST(FormatLinesTest, OneNumberALine) {
  EXPECT_EQ(format_lines({}), "");
  EXPECT_EQ(format_lines({3, 40, 41}), "3\n40\n41\n");
}

}  // namespace
}  // namespace piecework::tools
