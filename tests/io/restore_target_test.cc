// RestoreTarget: names, what is there already, and that nothing is written through symlinks.
#include "io/restore_target.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/temp_dir.h"

namespace piecework::io {
namespace {

using testing::read_file;
using testing::TempDir;
using testing::write_file;

std::vector<std::string> names_in(const std::filesystem::path& path) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

class RestoreTargetTest : public ::testing::Test {
 protected:
  RestoreTargetTest() : path_(dir_ / "a/target"), target_(RestoreTarget::open(path_.string()).value()) {}

  // Publishes a file; whether it got the name.
  bool put(const File& parent, std::string_view name, std::string_view content) {
    RestoredFile file = target_.create().value();
    EXPECT_TRUE(file.write(as_bytes(content), 0));
    return target_.publish(file, parent, name).value();
  }

  TempDir dir_;
  const std::filesystem::path path_;
  RestoreTarget target_;
};

TEST_F(RestoreTargetTest, FilesGetTheirNamesWhenTheyAreComplete) {
  EXPECT_TRUE(target_.was_empty());
  const auto inner = target_.enter(*target_.root(), "inner").value();
  ASSERT_NE(inner, nullptr);
  RestoredFile file = target_.create().value();
  ASSERT_TRUE(file.write(as_bytes("lo"), 3));
  ASSERT_TRUE(file.write(as_bytes("hel"), 0));
  EXPECT_TRUE(names_in(path_ / "inner").empty());
  ASSERT_TRUE(target_.publish(file, *inner, "file").value());
  EXPECT_EQ(read_file(path_ / "inner/file"), "hello");
  EXPECT_EQ(names_in(path_), std::vector<std::string>{"inner"});
  EXPECT_FALSE(RestoreTarget::open((dir_ / "a/target").string()));  // locked while this one is open
}

TEST_F(RestoreTargetTest, AFileThatIsNotPublishedGoes) {
  {
    RestoredFile file = target_.create().value();
    ASSERT_TRUE(file.write(as_bytes("x"), 0));
    EXPECT_EQ(names_in(path_).size(), 1u);
    RestoredFile moved = std::move(file);
    EXPECT_TRUE(moved.is_open());
  }
  EXPECT_TRUE(names_in(path_).empty());
}

TEST_F(RestoreTargetTest, NothingIsReplaced) {
  write_file(path_ / "file", "mine");
  EXPECT_FALSE(put(*target_.root(), "file", "theirs"));
  EXPECT_FALSE(target_.make_symlink(*target_.root(), "file", "x").value());
  EXPECT_EQ(target_.enter(*target_.root(), "file").value(), nullptr);
  EXPECT_EQ(read_file(path_ / "file"), "mine");
  EXPECT_EQ(names_in(path_), std::vector<std::string>{"file"});
}

TEST_F(RestoreTargetTest, SymlinksAreNotFollowed) {
  std::filesystem::create_directory(dir_ / "outside");
  write_file(dir_ / "outside/file", "mine");
  std::filesystem::create_symlink(dir_ / "outside", path_ / "link");
  std::filesystem::create_symlink(dir_ / "outside/file", path_ / "file");
  std::filesystem::create_symlink(dir_ / "outside/new", path_ / "dangling");
  EXPECT_EQ(target_.enter(*target_.root(), "link").value(), nullptr);
  EXPECT_FALSE(target_.reopen("link"));
  for (const char* name : {"link", "file", "dangling"}) {
    EXPECT_FALSE(put(*target_.root(), name, "theirs")) << name;
    const auto existing = target_.find(*target_.root(), name).value();
    ASSERT_TRUE(existing) << name;
    EXPECT_TRUE(existing->link_target) << name;
    EXPECT_FALSE(existing->file.is_open()) << name;
  }
  EXPECT_EQ(names_in(dir_ / "outside"), std::vector<std::string>{"file"});
  EXPECT_EQ(read_file(dir_ / "outside/file"), "mine");
}

TEST_F(RestoreTargetTest, NamesThatLeadElsewhereAreRefused) {
  const File& root = *target_.root();
  for (const std::string& name : {std::string(), std::string("."), std::string(".."), std::string("a/b"),
                                  std::string("a\0b", 3), std::string("/etc"), std::string(256, 'n')}) {
    RestoredFile file = target_.create().value();
    EXPECT_FALSE(target_.publish(file, root, name)) << name;
    EXPECT_FALSE(target_.enter(root, name)) << name;
    EXPECT_FALSE(target_.make_symlink(root, name, "x")) << name;
    EXPECT_FALSE(target_.find(root, name)) << name;
  }
  EXPECT_TRUE(put(root, std::string(255, 'n'), "longest"));
}

TEST_F(RestoreTargetTest, WhatIsThereIsFound) {
  EXPECT_FALSE(target_.find(*target_.root(), "none").value());
  write_file(path_ / "file", "12345");
  const auto file = target_.find(*target_.root(), "file").value();
  ASSERT_TRUE(file && file->file.is_open());
  EXPECT_EQ(file->size_bytes, 5u);
  ASSERT_EQ(::mkfifo((path_ / "fifo").c_str(), 0600), 0);
  const auto fifo = target_.find(*target_.root(), "fifo").value();  // opening it would wait
  ASSERT_TRUE(fifo);
  EXPECT_FALSE(fifo->file.is_open());
}

TEST_F(RestoreTargetTest, MetadataIsPermissionBitsAndTimes) {
  RestoredFile file = target_.create().value();
  ASSERT_TRUE(file.set_metadata({.mode = 04751, .mtime = FileTime{1'000'000'000, 5}}));
  ASSERT_TRUE(target_.publish(file, *target_.root(), "file").value());
  struct stat status;
  ASSERT_EQ(::stat((path_ / "file").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777u, 0751u);
  EXPECT_EQ(status.st_mtim.tv_sec, 1'000'000'000);
  EXPECT_EQ(status.st_mtim.tv_nsec, 5);
}

TEST(RestoreTarget, LeftoversOfAKilledProcessGo) {
  const TempDir dir;
  write_file(dir / ".piecework-restore-7.tmp", "half");
  write_file(dir / ".piecework-other.tmp", "stays");
  const auto target = RestoreTarget::open(dir.path().string());
  ASSERT_TRUE(target);
  EXPECT_FALSE(target->was_empty());
  EXPECT_EQ(names_in(dir.path()), std::vector<std::string>{".piecework-other.tmp"});
  EXPECT_TRUE(RestoreTarget::is_temporary_name(".piecework-restore-7.tmp"));
  EXPECT_FALSE(RestoreTarget::is_temporary_name("piecework-restore-7.tmp"));
}

}  // namespace
}  // namespace piecework::io
