// Opening beneath a directory (by openat2 and by hand), stamps, and reads that do not wait.
#include "io/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <string>
#include <vector>

#include "tests/io/system_call_filter.h"
#include "tests/support/temp_dir.h"

namespace piecework::io {
namespace {

using piecework::testing::TempDir;
using piecework::testing::write_file;

// ---- Resolution: both implementations give the same answers ----

struct Resolver {
  const char* name;
  int (*open)(int directory_fd, const char* path, const struct open_how& how);
};

class ResolveTest : public ::testing::TestWithParam<Resolver> {
 protected:
  void SetUp() override {
    ASSERT_EQ(::mkdir((temp_ / "dir").c_str(), 0755), 0);
    write_file(temp_ / "dir/file", "content");
    ASSERT_EQ(::symlink("dir", (temp_ / "link_to_dir").c_str()), 0);
    ASSERT_EQ(::symlink("dir/file", (temp_ / "link_to_file").c_str()), 0);
    ASSERT_EQ(::symlink("/etc", (temp_ / "dir/out").c_str()), 0);
    root_ = UniqueFd(::open(temp_.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  // 0 where it opens, else the errno.
  int open_errno(const std::string& path, uint64_t flags = kOpenForReading) const {
    const int result = GetParam().open(root_.get(), path.c_str(), {flags, 0, kResolveBeneath});
    if (result < 0) return -result;
    ::close(result);
    return 0;
  }
  TempDir temp_;
  UniqueFd root_;
};

TEST_P(ResolveTest, OpensWhatLiesBeneath) {
  for (const char* path : {"dir/file", "./dir/file", "dir//file", "dir/./file", "./././dir/file"}) {
    EXPECT_EQ(open_errno(path), 0) << path;
  }
  for (const char* path : {"dir", "dir/", "dir/.", ".", "./", "dir//"}) {
    EXPECT_EQ(open_errno(path, kOpenDirectory), 0) << path;
  }
}

TEST_P(ResolveTest, RefusesSymlinksAnywhere) {
  for (const char* path : {"link_to_file", "link_to_dir/file", "dir/out/passwd", "dir/out"}) {
    EXPECT_EQ(open_errno(path), ELOOP) << path;
  }
  EXPECT_EQ(open_errno("link_to_dir", kOpenDirectory), ELOOP);
}

TEST_P(ResolveTest, RefusesToLeave) {
  for (const char* path : {"..", "../x", "/etc/passwd", "/", "dir/../.."}) EXPECT_EQ(open_errno(path), EXDEV) << path;
}

TEST_P(ResolveTest, TellsWhatIsWrong) {
  EXPECT_EQ(open_errno(""), ENOENT);
  EXPECT_EQ(open_errno("none"), ENOENT);
  EXPECT_EQ(open_errno("none/file"), ENOENT);
  EXPECT_EQ(open_errno("dir/file/below"), ENOTDIR);
  EXPECT_EQ(open_errno("dir/file/"), ENOTDIR);
  EXPECT_EQ(open_errno("dir/file/."), ENOTDIR);
  EXPECT_EQ(open_errno("dir/file", kOpenDirectory), ENOTDIR);
  EXPECT_EQ(open_errno("dir/" + std::string(256, 'x')), ENAMETOOLONG);
}

TEST_P(ResolveTest, NamesOfAnyBytesAndFullLength) {
  const std::string name(255, '\xfe');
  write_file(temp_ / name, "x");
  EXPECT_EQ(open_errno(name), 0);
}

INSTANTIATE_TEST_SUITE_P(Both, ResolveTest,
                         ::testing::Values(Resolver{"by_openat2", open_beneath_fd},
                                           Resolver{"by_components", open_beneath_by_components}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(ResolveDeathTest, WithoutOpenat2ComponentsAreWalked) {
  TempDir temp;
  write_file(temp / "file", "x");
  ASSERT_EQ(::symlink("file", (temp / "link").c_str()), 0);
  for (const int sys_errno : {ENOSYS, EPERM}) {
    EXPECT_EXIT(
        {
          testing::fail_system_call(SYS_openat2, sys_errno);
          const File root = std::move(*open_named_directory(temp.path().string(), ErrorSide::kSource));
          const bool opens = open_beneath(root, "file").has_value();
          const bool refuses = open_beneath(root, "link").error().code == ErrorCode::kChanged;
          const bool would_block = !try_open_cached(root.fd(), "file", ErrorSide::kSource, "file")->has_value();
          _exit(!has_openat2() && opens && refuses && would_block ? 0 : 1);
        },
        ::testing::ExitedWithCode(0), "");
  }
}

// ---- File ----

class FileTest : public ::testing::Test {
 protected:
  File root() const { return std::move(*open_named_directory(temp_.path().string(), ErrorSide::kSource)); }
  TempDir temp_;
};

TEST_F(FileTest, ErrorsNameTheWholePathAndTheSide) {
  const Result<File> missing = open_beneath(root(), "a\nb");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(missing.error().side, ErrorSide::kSource);
  EXPECT_EQ(missing.error().path, temp_.path().string() + "/a\nb");
  EXPECT_EQ(missing.error().message, "opening '" + temp_.path().string() + "/a\\x0ab': No such file or directory");
}

TEST_F(FileTest, ANameWithNulIsRefused) {
  write_file(temp_ / "a", "x");
  EXPECT_FALSE(open_beneath(root(), std::string_view("a\0b", 3)));
}

TEST_F(FileTest, ReadsAndWritesInFullAtOffsets) {
  const std::string path = temp_ / "file";
  const File file(UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)), path, ErrorSide::kDestination);
  ASSERT_TRUE(file.write_full(as_bytes("world"), 6));
  ASSERT_TRUE(file.write_full(as_bytes("hello "), 0));
  std::vector<uint8_t> bytes(20);
  EXPECT_EQ(*file.read_full(bytes, 3), 8u);
  EXPECT_EQ(as_text(ByteSpan(bytes).first(8)), "lo world");
  EXPECT_EQ(file.stamp()->size_bytes, 11u);
  const Status failed = File(UniqueFd(), "gone", ErrorSide::kDestination).write_full(as_bytes("x"), 7);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "writing 'gone' at 7: Bad file descriptor");
}

TEST_F(FileTest, StampsOfOneVersionAreEqualAndChangesAreNamed) {
  write_file(temp_ / "file", "0123456789");
  const File file = std::move(*open_beneath(root(), "file"));
  const FileStamp before = *file.stamp();
  EXPECT_EQ(before, *file.stamp());
  EXPECT_EQ(describe_change(before, before), "");
  struct statx status;
  ASSERT_EQ(::statx(file.fd(), "", AT_EMPTY_PATH, STATX_BASIC_STATS, &status), 0);
  EXPECT_EQ(stamp_of(status), before);
  ASSERT_EQ(::truncate((temp_ / "file").c_str(), 12), 0);
  const FileStamp after = *file.stamp();
  EXPECT_NE(before, after);
  EXPECT_NE(describe_change(before, after).find("size 10 -> 12 bytes"), std::string::npos);
  write_file(temp_ / "other", "0123456789");
  const FileStamp other = *open_beneath(root(), "other")->stamp();
  EXPECT_NE(describe_change(before, other).find("inode"), std::string::npos);
}

TEST_F(FileTest, TimesOutsideTheRangeAreCut) {
  EXPECT_EQ(nanoseconds_of(1, 5), 1'000'000'005);
  EXPECT_EQ(nanoseconds_of(-1, 5), -999'999'995);
  EXPECT_EQ(nanoseconds_of(INT64_MAX, 0), INT64_MAX);
  EXPECT_EQ(nanoseconds_of(INT64_MIN, 0), INT64_MIN);
  // The last second that fits holds 854,775,807 ns of its billion.
  EXPECT_EQ(nanoseconds_of(9'223'372'036, 854'775'807), INT64_MAX);
  EXPECT_EQ(nanoseconds_of(9'223'372'036, 854'775'808), INT64_MAX);
}

TEST_F(FileTest, DescriptorsMoveAndClose) {
  UniqueFd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int number = first.get();
  UniqueFd second = std::move(first);
  EXPECT_FALSE(first.is_open());
  EXPECT_EQ(second.get(), number);
  UniqueFd third(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  third = std::move(second);
  EXPECT_EQ(third.get(), number);
  third.reset();
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

// ---- Cached ----

TEST_F(FileTest, WarmFilesOpenAndReadWithoutWaiting) {
  write_file(temp_ / "file", "0123456789");
  const File from = root();
  const Result<std::optional<UniqueFd>> opened = try_open_cached(from.fd(), "file", ErrorSide::kSource, "file");
  ASSERT_TRUE(opened);
  if (!opened->has_value()) GTEST_SKIP() << "this file system's lookups are not cached";
  std::vector<uint8_t> bytes(10);
  const Result<CachedRead> whole = try_read_cached((*opened)->get(), bytes, 0, ErrorSide::kSource, "file");
  ASSERT_TRUE(whole);
  if (whole->end == ReadEnd::kWouldBlock) GTEST_SKIP() << "this file system cannot read without waiting";
  EXPECT_EQ(whole->end, ReadEnd::kFull);
  EXPECT_EQ(whole->read_bytes, 10u);
  EXPECT_EQ(as_text(bytes), "0123456789");
  std::vector<uint8_t> more(100);
  const Result<CachedRead> past_end = try_read_cached((*opened)->get(), more, 4, ErrorSide::kSource, "file");
  ASSERT_TRUE(past_end);
  EXPECT_EQ(past_end->end, ReadEnd::kEndOfFile);
  EXPECT_EQ(past_end->read_bytes, 6u);
}

TEST_F(FileTest, WhatIsNotInThePageCacheWouldBlock) {
  write_file(temp_ / "file", std::string(1 << 20, 'x'));
  const File file = std::move(*open_beneath(root(), "file"));
  ASSERT_EQ(::fsync(file.fd()), 0);
  ASSERT_EQ(::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED), 0);
  std::vector<uint8_t> bytes(1 << 20);
  const Result<CachedRead> read = try_read_cached(file.fd(), bytes, 0, ErrorSide::kSource, "file");
  ASSERT_TRUE(read);
  if (read->end == ReadEnd::kFull) GTEST_SKIP() << "this file system keeps its files in memory";
  EXPECT_EQ(read->end, ReadEnd::kWouldBlock);
  EXPECT_LT(read->read_bytes, bytes.size());
}

TEST_F(FileTest, CachedOpenReportsRealErrors) {
  ASSERT_EQ(::symlink("file", (temp_ / "link").c_str()), 0);
  const File from = root();
  const Result<std::optional<UniqueFd>> link = try_open_cached(from.fd(), "link", ErrorSide::kSource, "link");
  if (link) {
    EXPECT_FALSE(link->has_value());  // not cached is a fair answer too
  } else {
    EXPECT_EQ(link.error().code, ErrorCode::kChanged);
  }
  const std::string long_path(2 * PATH_MAX, 'p');
  EXPECT_FALSE(try_open_cached(from.fd(), long_path.c_str(), ErrorSide::kSource, "long")->has_value());
}

}  // namespace
}  // namespace piecework::io
