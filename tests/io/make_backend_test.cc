// Choosing a backend, and what is said where io_uring is not to be had: under real seccomp filters, in child processes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <string>
#include <vector>

#include "io/backend.h"
#include "io/file.h"
#include "tests/io/system_call_filter.h"

namespace piecework::io {
namespace {

using ::testing::ExitedWithCode;

// Prints what make_backend says under a filter that lets io_uring_setup fail with `sys_errno`; for EXPECT_EXIT.
[[noreturn]] void report_without_ring(BackendKind kind, int sys_errno) {
  testing::fail_system_call(SYS_io_uring_setup, sys_errno);
  Result<std::unique_ptr<Backend>> backend = make_backend({.kind = kind});
  std::cerr << (backend ? (*backend)->description() : backend.error().message) << std::endl;
  const bool is_unsupported = !backend && backend.error().code == ErrorCode::kUnsupported;
  _exit(backend ? 0 : is_unsupported ? 3 : 4);
}

TEST(MakeBackendDeathTest, AForbiddenRingNamesTheCauseAndTheFix) {
  EXPECT_EXIT(report_without_ring(BackendKind::kUring, EPERM), ExitedWithCode(3), "io_uring_disabled.*seccomp");
  EXPECT_EXIT(report_without_ring(BackendKind::kUring, ENOSYS), ExitedWithCode(3), "older than 5.6.*seccomp");
  EXPECT_EXIT(report_without_ring(BackendKind::kUring, ENOMEM), ExitedWithCode(3), "RLIMIT_MEMLOCK");
  EXPECT_EXIT(report_without_ring(BackendKind::kUring, EMFILE), ExitedWithCode(4), "ulimit -n");
}

TEST(MakeBackendDeathTest, AutomaticFallsBackToThreadsAndSaysWhy) {
  EXPECT_EXIT(report_without_ring(BackendKind::kAutomatic, EPERM), ExitedWithCode(0), "16 threads.*because.*forbidden");
  EXPECT_EXIT(report_without_ring(BackendKind::kAutomatic, ENOSYS), ExitedWithCode(0), "16 threads.*because");
}

TEST(MakeBackendTest, ImpossibleOptionsAreErrorsOfTheConfiguration) {
  for (const BackendOptions& options : {BackendOptions{.kind = BackendKind::kUring, .depth = 0},
                                        BackendOptions{.kind = BackendKind::kUring, .depth = 1'000'000},
                                        BackendOptions{.kind = BackendKind::kPosix, .thread_count = 0}}) {
    const Result<std::unique_ptr<Backend>> backend = make_backend(options);
    ASSERT_FALSE(backend);
    EXPECT_EQ(backend.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(backend.error().side, ErrorSide::kConfig);
  }
}

TEST(MakeBackendTest, TheDescriptionSaysWhatWasPicked) {
  const Result<std::unique_ptr<Backend>> posix = make_backend({.kind = BackendKind::kPosix, .thread_count = 3});
  ASSERT_TRUE(posix);
  EXPECT_EQ((*posix)->description(), "3 threads with blocking calls, as asked for");
}

TEST(MakeBackendTest, CountersTellShortTransfersAndCompletions) {
  for (const BackendKind kind : {BackendKind::kUring, BackendKind::kPosix}) {
    Result<std::unique_ptr<Backend>> backend = make_backend({.kind = kind});
    if (!backend) continue;  // no ring here; threads always work
    const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    std::vector<uint8_t> bytes(100);
    const uint64_t end_bytes = stamp_fd(file.get(), ErrorSide::kSource, "exe")->size_bytes;
    Operation read;
    read.request = ReadRequest{file.get(), bytes, end_bytes - 10};
    submit_and_wait(**backend, read);
    EXPECT_EQ(read.result.done_bytes, 10u);
    Operation again;  // when it has completed, the counters of the first one are final
    again.request = ReadRequest{file.get(), bytes, 0};
    submit_and_wait(**backend, again);
    EXPECT_EQ((*backend)->counters().submitted_count, 2u);
    EXPECT_GE((*backend)->counters().resubmitted_count, 1u);
  }
}

}  // namespace
}  // namespace piecework::io
