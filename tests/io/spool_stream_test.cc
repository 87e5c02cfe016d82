// Spooling: the bytes of a pipe as they were, errors on the right side, and an end while it waits.
#include "io/spool_stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "tests/support/temp_dir.h"
#include "tests/support/test_input.h"

namespace piecework::io {
namespace {

using testing::TempDir;

struct Pipe {
  Pipe() { EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0); }
  ~Pipe() {
    close(ends[0]);
    if (ends[1] >= 0) close(ends[1]);
  }
  int ends[2];
};

// Writes all of `bytes` in uneven steps and closes its end.
std::thread write_slowly(Pipe& pipe, ByteSpan bytes) {
  return std::thread([&pipe, bytes]() mutable {
    for (size_t step = 1; !bytes.empty(); step = step * 7 % 100003 + 1) {
      const ssize_t written = write(pipe.ends[1], bytes.data(), std::min(step, bytes.size()));
      if (written < 0) break;
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
    close(std::exchange(pipe.ends[1], -1));
  });
}

TEST(SpoolStream, KeepsEveryByteOfAPipe) {
  const TempDir directory;
  const std::vector<uint8_t> bytes = testing::deterministic_bytes("spool", 3 * 1024 * 1024 + 7);
  Pipe pipe;
  std::thread writer = write_slowly(pipe, bytes);
  std::atomic<uint64_t> copied_bytes = 0;
  const Result<File> spool = spool_stream(pipe.ends[0], "standard input", directory.path(), nullptr, &copied_bytes);
  writer.join();
  ASSERT_TRUE(spool) << spool.error().message;
  EXPECT_EQ(copied_bytes, bytes.size());
  EXPECT_EQ(spool->stamp().value().size_bytes, bytes.size());
  std::vector<uint8_t> copy(bytes.size());
  EXPECT_EQ(spool->read_full(copy, 0).value(), bytes.size());
  EXPECT_EQ(copy, bytes);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path())) << "the file has no name";
}

TEST(SpoolStream, AnEmptyStreamIsAnEmptyFile) {
  const TempDir directory;
  Pipe pipe;
  write_slowly(pipe, {}).join();
  EXPECT_EQ(spool_stream(pipe.ends[0], "standard input", directory.path()).value().stamp().value().size_bytes, 0u);
}

TEST(SpoolStream, AScratchDirectoryThatIsMissingIsTheDestinationsFault) {
  Pipe pipe;
  const Result<File> spool = spool_stream(pipe.ends[0], "standard input", "/nowhere/at-all");
  ASSERT_FALSE(spool);
  EXPECT_EQ(spool.error().side, ErrorSide::kDestination);
  EXPECT_NE(spool.error().message.find("/nowhere/at-all"), std::string::npos);
}

// A file size limit stands in for a full file system: EFBIG has the same code as ENOSPC.
TEST(SpoolStream, AFullScratchDirectoryIsNamed) {
  const TempDir directory;
  const std::vector<uint8_t> bytes = testing::deterministic_bytes("spool", 1024 * 1024);
  Pipe pipe;
  std::thread writer = write_slowly(pipe, bytes);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  rlimit limit = old_limit;
  limit.rlim_cur = 100'000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  const Result<File> spool = spool_stream(pipe.ends[0], "standard input", directory.path());
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  for (std::vector<uint8_t> rest(65536); read(pipe.ends[0], rest.data(), rest.size()) > 0;) continue;
  writer.join();
  std::signal(SIGXFSZ, old_handler);
  ASSERT_FALSE(spool);
  EXPECT_EQ(spool.error().code, ErrorCode::kNoSpace);
  EXPECT_EQ(spool.error().side, ErrorSide::kDestination);
  EXPECT_NE(spool.error().message.find("scratch directory '" + directory.path().string()), std::string::npos)
      << spool.error().message;
}

TEST(SpoolStream, AStreamThatCannotBeReadIsTheSourcesFault) {
  const TempDir directory;
  const UniqueFd descriptor(open(directory.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_TRUE(descriptor.is_open());
  const Result<File> spool = spool_stream(descriptor.get(), "standard input", directory.path());
  ASSERT_FALSE(spool);
  EXPECT_EQ(spool.error().side, ErrorSide::kSource);
}

TEST(SpoolStream, EndsOnRequestWhileThePipeIsSilent) {
  const TempDir directory;
  Pipe pipe;  // nobody writes
  std::atomic<bool> stop = false;
  std::thread stopper([&stop] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    stop = true;
  });
  const Result<File> spool = spool_stream(pipe.ends[0], "standard input", directory.path(), &stop);
  stopper.join();
  ASSERT_FALSE(spool);
  EXPECT_EQ(spool.error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace piecework::io
