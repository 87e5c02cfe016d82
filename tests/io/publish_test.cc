// A final name is complete and durable, or absent: at every step of publishing, with failing and dying system calls.
#include "io/publish.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "io/scratch_file.h"
#include "tests/io/system_call_filter.h"
#include "tests/support/temp_dir.h"

namespace piecework::io {
namespace {

using piecework::testing::read_file;
using piecework::testing::TempDir;
using piecework::testing::write_file;
using Mode = PublishedFile::Mode;

class PublishTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<OutputDirectory> directory = OutputDirectory::open_or_create(temp_.path().string());
    ASSERT_TRUE(directory);
    directory_.emplace(std::move(*directory));
  }
  PublishedFile open(Mode mode = Mode::kFresh) const {
    Result<std::optional<PublishedFile>> file = PublishedFile::open(*directory_, "0", mode);
    EXPECT_TRUE(file && file->has_value());
    return std::move(**file);
  }
  bool exists(std::string_view name) const {
    return std::filesystem::exists(std::filesystem::symlink_status(temp_ / name));
  }
  size_t name_count() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(temp_.path()), {}));
  }

  TempDir temp_;
  std::optional<OutputDirectory> directory_;
};

TEST_F(PublishTest, AFileAppearsUnderItsFinalNameOnly) {
  const mode_t old_mask = ::umask(0077);
  PublishedFile file = open();
  ::umask(old_mask);
  EXPECT_TRUE(exists(".piecework-0.tmp"));
  ASSERT_TRUE(file.write(as_bytes("world"), 6));
  ASSERT_TRUE(file.write(as_bytes("hello "), 0));
  ASSERT_TRUE(file.sync_data());
  EXPECT_EQ(*file.size_bytes(), 11u);
  EXPECT_FALSE(exists("piece.car"));
  EXPECT_EQ(*file.commit("piece.car"), CommitOutcome::kPublished);
  EXPECT_EQ(read_file(temp_ / "piece.car"), "hello world");
  EXPECT_EQ(name_count(), 1u);
  struct stat status;
  ASSERT_EQ(::stat((temp_ / "piece.car").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0644u);
  EXPECT_EQ(status.st_nlink, 1u);
}

TEST_F(PublishTest, AnExistingNameIsNeverReplaced) {
  write_file(temp_ / "piece.car", "old");
  {
    PublishedFile file = open();
    ASSERT_TRUE(file.write(as_bytes("new"), 0));
    EXPECT_EQ(*file.commit("piece.car"), CommitOutcome::kAlreadyExists);
    EXPECT_TRUE(exists(".piecework-0.tmp"));  // for the caller to compare
    std::vector<uint8_t> bytes(3);
    EXPECT_EQ(*file.read(bytes, 0), 3u);
    EXPECT_EQ(as_text(bytes), "new");
  }
  EXPECT_EQ(read_file(temp_ / "piece.car"), "old");
  EXPECT_EQ(name_count(), 1u);
}

TEST_F(PublishTest, AFileThatIsNotCommittedLeavesNothing) {
  {
    PublishedFile file = open();
    ASSERT_TRUE(file.write(as_bytes("x"), 0));
    PublishedFile moved = std::move(file);
    EXPECT_EQ(name_count(), 1u);
  }
  EXPECT_EQ(name_count(), 0u);
  PublishedFile file = open();
  EXPECT_TRUE(file.discard());
  EXPECT_EQ(name_count(), 0u);
}

TEST_F(PublishTest, AKeptTemporaryIsAdoptedOrStartedAnew) {
  {
    PublishedFile file = open();
    ASSERT_TRUE(file.write(as_bytes("half"), 0));
    file.keep_temporary();
  }
  {
    PublishedFile file = open(Mode::kAdopt);
    EXPECT_EQ(*file.size_bytes(), 4u);
    file.keep_temporary();
  }
  PublishedFile file = open(Mode::kFresh);
  EXPECT_EQ(*file.size_bytes(), 0u);
}

TEST_F(PublishTest, AWriterPastThePageCacheHoldsTheLockToo) {
  UniqueFd direct;
  {
    PublishedFile file = open();
    direct = reopen_direct(file.fd());
    if (!direct.is_open()) GTEST_SKIP() << "no O_DIRECT here";
    file.keep_temporary();
  }
  // As after a kill with a write in flight: the owner is gone, a descriptor is not.
  const Result<std::optional<PublishedFile>> too_early = PublishedFile::open(*directory_, "0", Mode::kAdopt);
  ASSERT_TRUE(too_early);
  EXPECT_FALSE(too_early->has_value());
  direct.reset();
  EXPECT_TRUE(PublishedFile::open(*directory_, "0", Mode::kAdopt)->has_value());
}

TEST_F(PublishTest, ANameIsTakenOver) {
  PublishedFile file = open();
  ASSERT_TRUE(file.write(as_bytes("old"), 0));
  Result<std::optional<PublishedFile>> other = PublishedFile::open(*directory_, "1", Mode::kFresh);
  ASSERT_TRUE(other && other->has_value());
  ASSERT_TRUE((*other)->write(as_bytes("new"), 0));
  ASSERT_TRUE((*other)->take_name_of(file));
  file = std::move(**other);
  EXPECT_EQ(read_file(temp_ / ".piecework-0.tmp"), "new");
  EXPECT_EQ(name_count(), 1u);
}

TEST_F(PublishTest, OneAttemptAtATime) {
  const PublishedFile file = open();
  for (const Mode mode : {Mode::kFresh, Mode::kAdopt}) {
    const Result<std::optional<PublishedFile>> other = PublishedFile::open(*directory_, "0", mode);
    ASSERT_TRUE(other);
    EXPECT_FALSE(other->has_value());
  }
  const Result<std::optional<PublishedFile>> another_name = PublishedFile::open(*directory_, "1", Mode::kFresh);
  EXPECT_TRUE(another_name->has_value());
}

TEST_F(PublishTest, UnsharedTemporariesAreApartAndReplaceWhatWasAbandoned) {
  write_file(temp_ / ".piecework-plan-0.tmp", "left by a killed attempt");
  const Result<PublishedFile> first = open_unshared(*directory_, "plan");
  const Result<PublishedFile> second = open_unshared(*directory_, "plan");
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->path(), directory_->path_of(".piecework-plan-0.tmp"));
  EXPECT_EQ(*first->size_bytes(), 0u);
  EXPECT_EQ(second->path(), directory_->path_of(".piecework-plan-1.tmp"));
}

// After a crash between link and unlink both names are one file: starting anew must not empty the published one.
TEST_F(PublishTest, APublishedFileSurvivesItsLeftOverTemporary) {
  for (const Mode mode : {Mode::kFresh, Mode::kAdopt}) {
    write_file(temp_ / "piece.car", "published");
    ASSERT_EQ(::link((temp_ / "piece.car").c_str(), (temp_ / ".piecework-0.tmp").c_str()), 0);
    PublishedFile file = open(mode);
    EXPECT_EQ(*file.size_bytes(), 0u);
    ASSERT_TRUE(file.write(as_bytes("other"), 0));
    EXPECT_EQ(read_file(temp_ / "piece.car"), "published");
  }
}

TEST_F(PublishTest, AForeignObjectUnderTheTemporaryNameIsRefused) {
  ASSERT_EQ(::symlink("/etc/passwd", (temp_ / ".piecework-0.tmp").c_str()), 0);
  EXPECT_FALSE(PublishedFile::open(*directory_, "0", Mode::kFresh));
  ASSERT_EQ(::unlink((temp_ / ".piecework-0.tmp").c_str()), 0);
  ASSERT_EQ(::mkfifo((temp_ / ".piecework-0.tmp").c_str(), 0644), 0);
  const Result<std::optional<PublishedFile>> fifo = PublishedFile::open(*directory_, "0", Mode::kFresh);
  ASSERT_FALSE(fifo);
  EXPECT_EQ(fifo.error().code, ErrorCode::kConflict);
}

TEST_F(PublishTest, PoisonRemovesTheTemporaryAndForbidsToCommit) {
  PublishedFile file = open();
  ASSERT_TRUE(file.write(as_bytes("x"), 0));
  file.keep_temporary();
  file.poison();
  EXPECT_EQ(name_count(), 0u);
  const Result<CommitOutcome> outcome = file.commit("piece.car");
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::kIo);
  EXPECT_EQ(outcome.error().side, ErrorSide::kDestination);
  EXPECT_EQ(name_count(), 0u);
}

TEST_F(PublishTest, NamesThatLeaveTheDirectoryAreRefused) {
  for (const std::string& name : {std::string(""), std::string("."), std::string(".."), std::string("a/b"),
                                  std::string("/etc/x"), std::string("a\0b", 3), std::string(256, 'n')}) {
    EXPECT_FALSE(check_file_name(name)) << name;
    PublishedFile file = open();
    const Result<CommitOutcome> outcome = file.commit(name);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, ErrorCode::kInvalidArgument);
    EXPECT_FALSE(directory_->subdirectory(name));
    EXPECT_FALSE(directory_->try_open(name));
    EXPECT_FALSE(directory_->remove(name));
  }
  EXPECT_FALSE(PublishedFile::open(*directory_, "../x", Mode::kFresh));
  EXPECT_TRUE(check_file_name("..."));
  EXPECT_TRUE(check_file_name(std::string(255, '\xff')));
}

TEST_F(PublishTest, ReservingAndResizing) {
  PublishedFile file = open();
  EXPECT_TRUE(file.reserve(1 << 20));
  EXPECT_EQ(*file.size_bytes(), 0u);  // room, not size: a reserved file is never taken for a full one
  EXPECT_TRUE(file.resize(100));
  EXPECT_EQ(*file.size_bytes(), 100u);
}

TEST_F(PublishTest, SmallFilesInOneCall) {
  EXPECT_EQ(*publish_bytes(*directory_, "0.json", as_bytes("{}"), "0.json"), CommitOutcome::kPublished);
  EXPECT_EQ(*publish_bytes(*directory_, "0.json", as_bytes("[]"), "0.json"), CommitOutcome::kAlreadyExists);
  EXPECT_EQ(read_file(temp_ / "0.json"), "{}");
  EXPECT_EQ(name_count(), 1u);
}

TEST_F(PublishTest, DirectoriesAreMadeWithTheirParents) {
  const std::string path = (temp_ / "a/b//c").string();
  const Result<OutputDirectory> made = OutputDirectory::open_or_create(path + "/");
  ASSERT_TRUE(made);
  EXPECT_TRUE(std::filesystem::is_directory(path));
  ASSERT_TRUE(OutputDirectory::open_or_create(path));
  const Result<OutputDirectory> child = made->subdirectory("receipts");
  ASSERT_TRUE(child);
  ASSERT_TRUE(made->subdirectory("receipts"));
  EXPECT_TRUE(publish_bytes(*child, "0.json", as_bytes("{}"), "0.json"));
  EXPECT_EQ(read_file(path + "/receipts/0.json"), "{}");
  EXPECT_GT(*made->available_bytes(), 0u);
  write_file(temp_ / "file", "x");
  const Result<OutputDirectory> below_file = OutputDirectory::open_or_create((temp_ / "file/below").string());
  ASSERT_FALSE(below_file);
  EXPECT_EQ(below_file.error().side, ErrorSide::kDestination);
}

TEST_F(PublishTest, AChildThatIsASymlinkIsRefused) {
  TempDir elsewhere;
  ASSERT_EQ(::symlink(elsewhere.path().c_str(), (temp_ / "receipts").c_str()), 0);
  EXPECT_FALSE(directory_->subdirectory("receipts"));
}

TEST_F(PublishTest, OpensAndRemovesPublishedFiles) {
  EXPECT_FALSE(directory_->try_open("none")->has_value());
  write_file(temp_ / "some", "bytes");
  const Result<std::optional<File>> file = directory_->try_open("some");
  ASSERT_TRUE(file && file->has_value());
  EXPECT_EQ((*file)->stamp()->size_bytes, 5u);
  EXPECT_TRUE(directory_->remove("some"));
  EXPECT_TRUE(directory_->remove("some"));
  EXPECT_EQ(name_count(), 0u);
}

// ---- Failing system calls, in child processes ----

class PublishDeathTest : public PublishTest {
 protected:
  // Publishes under filters that fail the calls of `failing`; the exit code says what came of it:
  // 0 published, 1 exists already, 10 + (1 where poisoned) an error. For EXPECT_EXIT.
  [[noreturn]] void publish_and_exit(const std::vector<std::pair<uint32_t, int>>& failing) {
    PublishedFile file = open();
    (void)file.write(as_bytes("bytes"), 0);
    for (const auto& [system_call, sys_errno] : failing) testing::fail_system_call(system_call, sys_errno);
    const Result<CommitOutcome> outcome = file.commit("piece.car");
    if (!outcome) std::fprintf(stderr, "%s\n", outcome.error().message.c_str());
    const int code = outcome ? static_cast<int>(*outcome) : 10 + (file.is_poisoned() ? 1 : 0);
    { const PublishedFile gone = std::move(file); }  // _exit runs no destructor
    _exit(code);
  }
};

TEST_F(PublishDeathTest, AFailedSyncPoisonsAndPublishesNothing) {
  EXPECT_EXIT(publish_and_exit({{SYS_fsync, EIO}}), ::testing::ExitedWithCode(11), "syncing.*Input/output error");
  EXPECT_EQ(name_count(), 0u);
}

TEST_F(PublishDeathTest, AFailedDataSyncPoisonsToo) {
  EXPECT_EXIT(
      {
        PublishedFile file = open();
        testing::fail_system_call(SYS_fdatasync, ENOSPC);
        const Status status = file.sync_data();
        const bool is_refused = !file.commit("piece.car").has_value();  // although fsync would succeed now
        _exit(!status && status.error().code == ErrorCode::kNoSpace && file.is_poisoned() && is_refused ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
  EXPECT_EQ(name_count(), 0u);
}

TEST_F(PublishDeathTest, WithoutHardLinksARenameThatReplacesNothing) {
  EXPECT_EXIT(publish_and_exit({{SYS_linkat, EPERM}}), ::testing::ExitedWithCode(0), "");
  EXPECT_EQ(read_file(temp_ / "piece.car"), "bytes");
  EXPECT_EQ(name_count(), 1u);
  EXPECT_EXIT(publish_and_exit({{SYS_linkat, EOPNOTSUPP}}), ::testing::ExitedWithCode(1), "");
  EXPECT_EQ(name_count(), 1u);
}

TEST_F(PublishDeathTest, WithoutEitherNothingIsPublished) {
  EXPECT_EXIT(publish_and_exit({{SYS_linkat, EPERM}, {SYS_renameat2, EINVAL}}), ::testing::ExitedWithCode(10),
              "neither hard links nor RENAME_NOREPLACE");
  EXPECT_EQ(name_count(), 0u);
}

TEST_F(PublishDeathTest, AFileSystemWithoutLocksIsRefused) {
  EXPECT_EXIT(
      {
        testing::fail_system_call(SYS_fcntl, ENOLCK);
        _exit(PublishedFile::open(*directory_, "0", Mode::kFresh).has_value() ? 1 : 0);
      },
      ::testing::ExitedWithCode(0), "");
}

// Dies at each system call of commit() in turn. Whatever stands under the final name afterwards is complete, the lock
// is gone, and the same work done again ends with the same file.
TEST_F(PublishDeathTest, DyingAtAnyStepLeavesNothingOrEverything) {
  const struct {
    uint32_t system_call;
    bool is_published;
  } kSteps[] = {{SYS_fsync, false}, {SYS_linkat, false}, {SYS_unlinkat, true}};
  for (const auto& step : kSteps) {
    (void)directory_->remove("piece.car");
    EXPECT_EXIT(
        {
          PublishedFile file = open();
          (void)file.write(as_bytes("bytes"), 0);
          testing::die_at_system_call(step.system_call);
          (void)file.commit("piece.car");
          _exit(0);
        },
        ::testing::KilledBySignal(SIGSYS), "");
    EXPECT_EQ(exists("piece.car"), step.is_published);
    EXPECT_TRUE(exists(".piecework-0.tmp"));
    PublishedFile again = open(Mode::kAdopt);
    EXPECT_EQ(*again.size_bytes(), step.is_published ? 0u : 5u);
    ASSERT_TRUE(again.write(as_bytes("bytes"), 0));
    EXPECT_EQ(*again.commit("piece.car"),
              step.is_published ? CommitOutcome::kAlreadyExists : CommitOutcome::kPublished);
    EXPECT_EQ(read_file(temp_ / "piece.car"), "bytes");
  }
}

}  // namespace
}  // namespace piecework::io
