// A file that is replaced as a whole or not at all.
#include "tools/replace_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/support/temp_dir.h"

namespace piecework::tools {
namespace {

size_t name_count(const std::filesystem::path& directory) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(directory), {}));
}

TEST(ReplaceFileTest, MakesAndReplaces) {
  const testing::TempDir directory;
  const std::string path = directory / "metrics";
  ASSERT_TRUE(replace_file(path, "a longer first text\n"));
  EXPECT_EQ(testing::read_file(path), "a longer first text\n");
  ASSERT_TRUE(replace_file(path, "second\n"));
  EXPECT_EQ(testing::read_file(path), "second\n");
  EXPECT_EQ(name_count(directory.path()), 1u);
}

// Whoever has the old file open reads the old text to its end.
TEST(ReplaceFileTest, LeavesTheOldFileToItsReaders) {
  const testing::TempDir directory;
  const std::filesystem::path path = directory / "metrics";
  ASSERT_TRUE(replace_file(path, "old\n"));
  std::filesystem::create_hard_link(path, directory / "reader");
  ASSERT_TRUE(replace_file(path, "new\n"));
  EXPECT_EQ(testing::read_file(directory / "reader"), "old\n");
}

TEST(ReplaceFileTest, RefusesWhatIsNoFileAndLeavesNothing) {
  const testing::TempDir directory;
  std::filesystem::create_directory(directory / "folder");
  std::filesystem::create_symlink("/dev/null", directory / "link");
  for (const char* name : {"folder", "link"}) {
    const Status status = replace_file(directory / name, "text");
    ASSERT_FALSE(status) << name;
    EXPECT_EQ(status.error().side, ErrorSide::kDestination);
  }
  EXPECT_FALSE(replace_file("/dev/null", "text"));
  EXPECT_FALSE(replace_file(directory / "missing/metrics", "text"));
  EXPECT_EQ(name_count(directory.path()), 2u);
}

}  // namespace
}  // namespace piecework::tools
