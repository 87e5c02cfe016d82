// Order, kinds, targets and stamps of a directory's entries; nothing but directories is opened.
#include "io/dir_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "tests/io/system_call_filter.h"
#include "tests/support/temp_dir.h"

namespace piecework::io {
namespace {

using piecework::testing::TempDir;
using piecework::testing::write_file;

class DirReaderTest : public ::testing::Test {
 protected:
  File root() const { return std::move(*open_named_directory(temp_.path().string(), ErrorSide::kSource)); }
  DirectoryListing list() const {
    Result<DirectoryListing> listing = read_directory(root());
    EXPECT_TRUE(listing);
    return std::move(*listing);
  }
  static DirectoryEntry find(const DirectoryListing& listing, std::string_view name) {
    for (size_t i = 0; i < listing.entry_count(); ++i) {
      if (listing.entry(i).name == name) return listing.entry(i);
    }
    ADD_FAILURE() << "no entry " << name;
    return {};
  }
  TempDir temp_;
};

std::vector<std::string> names_of(const DirectoryListing& listing) {
  std::vector<std::string> names;
  for (size_t i = 0; i < listing.entry_count(); ++i) names.emplace_back(listing.entry(i).name);
  return names;
}

TEST_F(DirReaderTest, AnEmptyDirectory) { EXPECT_EQ(list().entry_count(), 0u); }

TEST_F(DirReaderTest, NamesComeInTheOrderOfTheirBytes) {
  // Equal prefixes of eight bytes, prefixes of each other, bytes above 0x7f, shorter than eight bytes, full length.
  std::vector<std::string> expected = {"a",
                                       "aa",
                                       "abcdefgh",
                                       "abcdefgh1",
                                       "abcdefgh10",
                                       "abcdefgi",
                                       "abcdefg",
                                       "\x01",
                                       "\x7f",
                                       "\x80",
                                       "\xff",
                                       "\xff\xff",
                                       std::string(255, 'z'),
                                       std::string(254, 'z'),
                                       "B",
                                       ".hidden",
                                       "...",
                                       "-",
                                       "abcdefgh\x80",
                                       "\xc3\x28",
                                       " ",
                                       "new\nline",
                                       "\xe2\x82\xac",
                                       "abcdefgh\x7f"};
  for (const std::string& name : expected) write_file(temp_ / name, "x");
  std::sort(expected.begin(), expected.end(), [](const std::string& a, const std::string& b) {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
      return static_cast<unsigned char>(x) < static_cast<unsigned char>(y);
    });
  });
  EXPECT_EQ(names_of(list()), expected);
}

TEST_F(DirReaderTest, EveryKind) {
  write_file(temp_ / "file", "12345");
  ASSERT_EQ(::mkdir((temp_ / "dir").c_str(), 0750), 0);
  ASSERT_EQ(::symlink("../some/where", (temp_ / "link").c_str()), 0);
  ASSERT_EQ(::mkfifo((temp_ / "fifo").c_str(), 0600), 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  const std::string socket_path = temp_ / "sock";
  ASSERT_LT(socket_path.size(), sizeof address.sun_path);
  socket_path.copy(address.sun_path, socket_path.size());
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address), 0);

  const DirectoryListing listing = list();
  EXPECT_EQ(find(listing, "file").kind, EntryKind::kRegular);
  EXPECT_EQ(find(listing, "file").stamp.size_bytes, 5u);
  EXPECT_EQ(find(listing, "file").stamp, *open_beneath(root(), "file")->stamp());
  EXPECT_EQ(find(listing, "dir").kind, EntryKind::kDirectory);
  EXPECT_EQ(find(listing, "dir").stamp.mode & 07777, 0750u);
  EXPECT_EQ(find(listing, "link").kind, EntryKind::kSymlink);
  EXPECT_EQ(find(listing, "link").link_target, "../some/where");
  EXPECT_EQ(find(listing, "file").link_target, "");
  EXPECT_EQ(find(listing, "fifo").kind, EntryKind::kFifo);
  EXPECT_EQ(find(listing, "sock").kind, EntryKind::kSocket);
  EXPECT_EQ(listing.entry_count(), 5u);
}

TEST_F(DirReaderTest, Devices) {
  if (::mknod((temp_ / "char").c_str(), S_IFCHR | 0600, makedev(1, 3)) != 0 ||
      ::mknod((temp_ / "block").c_str(), S_IFBLK | 0600, makedev(7, 200)) != 0) {
    GTEST_SKIP() << "devices cannot be made here";
  }
  const DirectoryListing listing = list();
  EXPECT_EQ(find(listing, "char").kind, EntryKind::kCharDevice);
  EXPECT_EQ(find(listing, "block").kind, EntryKind::kBlockDevice);
}

TEST_F(DirReaderTest, LongAndOddSymlinkTargets) {
  const std::string longest(4095, 't');
  const std::string odd = "\xff\n ";
  ASSERT_EQ(::symlink(longest.c_str(), (temp_ / "longest").c_str()), 0);
  ASSERT_EQ(::symlink(odd.c_str(), (temp_ / "odd").c_str()), 0);
  ASSERT_EQ(::symlink("loop", (temp_ / "loop").c_str()), 0);
  const DirectoryListing listing = list();
  EXPECT_EQ(find(listing, "longest").link_target, longest);
  EXPECT_EQ(find(listing, "odd").link_target, odd);
  EXPECT_EQ(find(listing, "loop").link_target, "loop");
}

// /proc says 0 or 64 bytes for links that are longer.
TEST_F(DirReaderTest, ALinkThatIsLongerThanItsSizeSays) {
  const std::string name(200, 'n');
  write_file(temp_ / name, "x");
  const UniqueFd fd(::open((temp_ / name).c_str(), O_RDONLY | O_CLOEXEC));
  const Result<File> descriptors = open_named_directory("/proc/self/fd", ErrorSide::kSource);
  if (!descriptors) GTEST_SKIP() << "no /proc here";
  const Result<DirectoryListing> listing = read_directory(*descriptors);
  ASSERT_TRUE(listing);
  EXPECT_EQ(find(*listing, std::to_string(fd.get())).link_target, (temp_ / name).string());
}

TEST_F(DirReaderTest, SeveralListingsHoldEveryEntryOnce) {
  std::set<std::string> expected;
  for (int i = 0; i < 100; ++i) {
    expected.insert("name-" + std::to_string(i));
    write_file(temp_ / ("name-" + std::to_string(i)), "");
  }
  const File directory = root();
  DirectoryReader reader(directory, {.entry_count_max = 7});
  DirectoryListing listing;
  std::set<std::string> seen;
  for (;;) {
    ASSERT_TRUE(reader.next(listing));
    if (listing.entry_count() == 0) break;
    EXPECT_LE(listing.entry_count(), 7u);
    const std::vector<std::string> names = names_of(listing);
    EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
    for (const std::string& name : names) EXPECT_TRUE(seen.insert(name).second);
  }
  EXPECT_EQ(seen, expected);
  DirectoryReader again(directory);  // from the beginning
  ASSERT_TRUE(again.next(listing));
  EXPECT_EQ(listing.entry_count(), 100u);
}

TEST_F(DirReaderTest, SeveralThreadsSeeWhatOneSees) {
  for (int i = 0; i < 5000; ++i) {
    const std::filesystem::path path = temp_ / ("entry-" + std::to_string(i * 7919 % 5000));
    if (i % 50 == 0) {
      ASSERT_EQ(::symlink(("target-" + std::to_string(i)).c_str(), path.c_str()), 0);
    } else {
      write_file(path, std::string(static_cast<size_t>(i % 11), 'x'));
    }
  }
  const File directory = root();
  const Result<DirectoryListing> one = read_directory(directory, 1);
  const Result<DirectoryListing> several = read_directory(directory, 4);
  ASSERT_TRUE(one);
  ASSERT_TRUE(several);
  ASSERT_EQ(several->entry_count(), 5000u);
  ASSERT_EQ(one->entry_count(), 5000u);
  for (size_t i = 0; i < 5000; ++i) {
    EXPECT_EQ(several->entry(i).name, one->entry(i).name);
    EXPECT_EQ(several->entry(i).kind, one->entry(i).kind);
    EXPECT_EQ(several->entry(i).link_target, one->entry(i).link_target);
    EXPECT_EQ(several->entry(i).stamp, one->entry(i).stamp);
  }
}

TEST_F(DirReaderTest, WithoutStatNamesAndKindsOnly) {
  write_file(temp_ / "file", "12345");
  ASSERT_EQ(::symlink("file", (temp_ / "link").c_str()), 0);
  const File directory = root();
  DirectoryReader reader(directory, {.with_stat = false});
  DirectoryListing listing;
  ASSERT_TRUE(reader.next(listing));
  EXPECT_EQ(find(listing, "file").kind, EntryKind::kRegular);
  EXPECT_EQ(find(listing, "file").stamp.size_bytes, 0u);
  EXPECT_EQ(find(listing, "link").kind, EntryKind::kSymlink);
}

TEST_F(DirReaderTest, ErrorsOfTheDirectoryItself) {
  write_file(temp_ / "file", "x");
  const File file = std::move(*open_beneath(root(), "file"));
  const Result<DirectoryListing> listing = read_directory(file);
  ASSERT_FALSE(listing);
  EXPECT_EQ(listing.error().side, ErrorSide::kSource);
  EXPECT_NE(listing.error().message.find("/file"), std::string::npos);
}

// Entries that cannot be examined stand in the list with their errno; the others are complete.
TEST_F(DirReaderTest, EntriesThatCannotBeExaminedEndNothing) {
  write_file(temp_ / "a", "x");
  ASSERT_EQ(::symlink("a", (temp_ / "b").c_str()), 0);
  for (const int sys_errno : {ENOENT, EACCES}) {
    EXPECT_EXIT(
        {
          const File directory = root();
          testing::fail_system_call(SYS_statx, sys_errno);
          const Result<DirectoryListing> listing = read_directory(directory);
          const bool is_listed = listing && listing->entry_count() == 2;
          _exit(is_listed && listing->entry(0).sys_errno == sys_errno && listing->entry(1).name == "b" ? 0 : 1);
        },
        ::testing::ExitedWithCode(0), "");
  }
  EXPECT_EXIT(
      {
        const File directory = root();
        testing::fail_system_call(SYS_readlinkat, ENOENT);
        const Result<DirectoryListing> listing = read_directory(directory);
        const bool is_listed = listing && listing->entry_count() == 2 && listing->entry(0).sys_errno == 0;
        _exit(is_listed && listing->entry(1).sys_errno == ENOENT ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_F(DirReaderTest, FilesAreNeverOpened) {
  write_file(temp_ / "a", "x");
  ASSERT_EQ(::mkfifo((temp_ / "fifo").c_str(), 0600), 0);
  EXPECT_EXIT(
      {
        const File directory = root();
        testing::die_at_system_call(SYS_openat);
        testing::die_at_system_call(SYS_openat2);
        _exit(read_directory(directory)->entry_count() == 2 ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(EntryKindTest, WordsForPeople) {
  EXPECT_EQ(to_string(EntryKind::kFifo), "fifo");
  EXPECT_EQ(to_string(entry_kind_of_mode(S_IFCHR | 0644)), "character device");
  EXPECT_EQ(entry_kind_of_mode(0), EntryKind::kUnknown);
}

}  // namespace
}  // namespace piecework::io
