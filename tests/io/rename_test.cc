// Renaming that never replaces.
#include "io/rename.h"

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace piecework::io {
namespace {

using testing::read_file;
using testing::TempDir;
using testing::write_file;

TEST(Rename, GivesAFreeName) {
  const TempDir dir;
  write_file(dir / "a", "content");
  ASSERT_TRUE(rename_without_replacing((dir / "a").string(), (dir / "b").string()).value());
  EXPECT_EQ(read_file(dir / "b"), "content");
  EXPECT_FALSE(std::filesystem::exists(dir / "a"));
}

TEST(Rename, LeavesATakenNameAlone) {
  const TempDir dir;
  write_file(dir / "a", "from");
  write_file(dir / "b", "there");
  EXPECT_FALSE(rename_without_replacing((dir / "a").string(), (dir / "b").string()).value());
  EXPECT_EQ(read_file(dir / "a"), "from");
  EXPECT_EQ(read_file(dir / "b"), "there");
}

TEST(Rename, SaysWhatIsMissing) {
  const TempDir dir;
  const auto renamed = rename_without_replacing((dir / "none").string(), (dir / "b").string());
  ASSERT_FALSE(renamed);
  EXPECT_EQ(renamed.error().side, ErrorSide::kDestination);
  EXPECT_NE(renamed.error().message.find("none"), std::string::npos);
}

TEST(Rename, Removes) {
  const TempDir dir;
  write_file(dir / "a", "x");
  EXPECT_TRUE(remove_file((dir / "a").string()));
  EXPECT_FALSE(std::filesystem::exists(dir / "a"));
  EXPECT_TRUE(remove_file((dir / "a").string()));
}

}  // namespace
}  // namespace piecework::io
