// What every backend promises, run on the ring, on threads, and on both with completions out of order.
#include "io/backend.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "io/file.h"
#include "io/limits.h"
#include "tests/support/fault_backend.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_input.h"

namespace piecework::io {
namespace {

using piecework::testing::FaultBackend;
using piecework::testing::paint;
using piecework::testing::TempDir;
using piecework::testing::write_file;

struct Setup {
  const char* name;
  BackendKind kind;
  bool reorders;
};

std::unique_ptr<Backend> make(const Setup& setup, uint32_t depth) {
  Result<std::unique_ptr<Backend>> backend = make_backend({.kind = setup.kind, .depth = depth, .thread_count = 4});
  if (!backend) return nullptr;
  if (!setup.reorders) return std::move(*backend);
  return std::make_unique<FaultBackend>(std::move(*backend),
                                        piecework::testing::FaultPlan{.seed = 7, .reorder_count = 8});
}

class BackendTest : public ::testing::TestWithParam<Setup> {
 protected:
  void SetUp() override { set_depth(64); }
  void set_depth(uint32_t depth) {
    backend_ = make(GetParam(), depth);
    if (backend_ == nullptr) GTEST_SKIP() << "io_uring is not to be had here";
  }
  File directory() const { return std::move(*open_named_directory(temp_.path().string(), ErrorSide::kSource)); }
  // Opens for reading and writing; the test aborts where it cannot.
  UniqueFd open_rw(const std::string& name) const {
    UniqueFd fd(::open((temp_ / name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    EXPECT_TRUE(fd.is_open());
    return fd;
  }
  const OperationResult& run(Operation& operation) const {
    submit_and_wait(*backend_, operation);
    return operation.result;
  }
  OperationResult open_path(const File& from, const std::string& path) const {
    Operation operation;
    operation.request = OpenRequest{from.fd(), path.c_str()};
    return run(operation);
  }

  TempDir temp_;
  std::unique_ptr<Backend> backend_;
};

std::string painted(size_t size_bytes, uint64_t first_index) {
  std::vector<uint8_t> bytes(size_bytes);
  paint(bytes, first_index);
  return std::string(as_text(bytes));
}

TEST_P(BackendTest, OpensExaminesReadsAndCloses) {
  write_file(temp_ / "file", painted(5000, 0));
  const File from = directory();
  const OperationResult opened = open_path(from, "file");
  ASSERT_EQ(opened.sys_errno, 0);
  struct statx status = {};
  Operation stat;
  stat.request = StatRequest{.directory_fd = opened.fd, .target = &status};
  EXPECT_TRUE(run(stat).ok());
  EXPECT_EQ(stamp_of(status), *stamp_fd(opened.fd, ErrorSide::kSource, "file"));
  std::vector<uint8_t> bytes(1000);
  Operation read;
  read.request = ReadRequest{opened.fd, bytes, 4500};
  EXPECT_TRUE(run(read).ok());
  EXPECT_EQ(read.result.done_bytes, 500u);  // the end of the file
  EXPECT_EQ(as_text(ByteSpan(bytes).first(500)), painted(500, 4500));
  Operation close;
  close.request = CloseRequest{opened.fd};
  EXPECT_TRUE(run(close).ok());
  EXPECT_EQ(::fcntl(opened.fd, F_GETFD), -1);
}

TEST_P(BackendTest, ReadsPastTheEndAndOfNothingAreEmpty) {
  write_file(temp_ / "file", "0123456789");
  const UniqueFd fd = open_rw("file");
  std::vector<uint8_t> bytes(10);
  for (const uint64_t offset_bytes : {uint64_t{10}, uint64_t{11}, uint64_t{1} << 40}) {
    Operation read;
    read.request = ReadRequest{fd.get(), bytes, offset_bytes};
    EXPECT_TRUE(run(read).ok());
    EXPECT_EQ(read.result.done_bytes, 0u);
  }
  Operation nothing;
  nothing.request = ReadRequest{fd.get(), {}, 0};
  EXPECT_TRUE(run(nothing).ok());
}

TEST_P(BackendTest, WritesSyncsAndReadsBack) {
  const UniqueFd fd = open_rw("file");
  const std::string first = painted(300'000, 0);
  const std::string second = painted(70'001, 300'000);
  Operation writes[2];
  writes[0].request = WriteRequest{fd.get(), as_bytes(first), 0};
  writes[1].request = WriteRequest{fd.get(), as_bytes(second), first.size()};
  Operation* const both[] = {&writes[1], &writes[0]};
  submit_and_wait(*backend_, both);
  EXPECT_EQ(writes[0].result.done_bytes, first.size());
  EXPECT_EQ(writes[1].result.done_bytes, second.size());
  for (const bool data_only : {true, false}) {
    Operation sync;
    sync.request = SyncRequest{fd.get(), data_only};
    EXPECT_TRUE(run(sync).ok());
  }
  EXPECT_EQ(piecework::testing::read_file(temp_ / "file"), first + second);
}

// ---- Errors ----

TEST_P(BackendTest, OpenErrorsAreTheKernels) {
  write_file(temp_ / "file", "x");
  ASSERT_EQ(::symlink("file", (temp_ / "link").c_str()), 0);
  ASSERT_EQ(::mkdir((temp_ / "sub").c_str(), 0755), 0);
  ASSERT_EQ(::symlink(".", (temp_ / "here").c_str()), 0);
  const File from = directory();
  EXPECT_EQ(open_path(from, "missing").sys_errno, ENOENT);
  EXPECT_EQ(open_path(from, "file/below").sys_errno, ENOTDIR);
  EXPECT_EQ(open_path(from, "link").sys_errno, ELOOP);
  EXPECT_EQ(open_path(from, "here/file").sys_errno, ELOOP);
  EXPECT_EQ(open_path(from, "../x").sys_errno, EXDEV);
  EXPECT_EQ(open_path(from, "sub/../../x").sys_errno, EXDEV);
  EXPECT_EQ(open_path(from, "/etc/passwd").sys_errno, EXDEV);
  EXPECT_EQ(open_path(from, std::string(256, 'n')).sys_errno, ENAMETOOLONG);
}

// In a child process without privileges: root may read everything.
TEST_P(BackendTest, PermissionIsDenied) {
  write_file(temp_ / "file", "x");
  ASSERT_EQ(::chmod((temp_ / "file").c_str(), 0), 0);
  ASSERT_EQ(::chmod(temp_.path().c_str(), 0755), 0);
  backend_.reset();  // no threads when the child is forked; it makes its own
  EXPECT_EXIT(
      {
        constexpr uid_t kNobody = 65534;
        if (::geteuid() == 0 && ::setresuid(kNobody, kNobody, kNobody) != 0) _exit(1);
        set_depth(8);
        _exit(open_path(directory(), "file").sys_errno == EACCES ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_P(BackendTest, OpeningAFifoDoesNotHang) {
  ASSERT_EQ(::mkfifo((temp_ / "fifo").c_str(), 0644), 0);
  const OperationResult opened = open_path(directory(), "fifo");
  ASSERT_EQ(opened.sys_errno, 0);
  const UniqueFd fd(opened.fd);
  EXPECT_FALSE(stamp_fd(fd.get(), ErrorSide::kSource, "fifo")->is_regular());
}

TEST_P(BackendTest, ReadingADirectoryOrAClosedDescriptorFails) {
  const File from = directory();
  uint8_t byte = 0;
  Operation read;
  read.request = ReadRequest{from.fd(), {&byte, 1}, 0};
  EXPECT_EQ(run(read).sys_errno, EISDIR);
  read.request = ReadRequest{-1, {&byte, 1}, 0};
  EXPECT_EQ(run(read).sys_errno, EBADF);
}

// The process's own memory is a file that cannot be read where a mapping reaches beyond the end of what it maps: what
// is before comes as a short read, then EIO. As from bad sectors.
TEST_P(BackendTest, AShortReadBeforeAnErrorIsCounted) {
  const size_t page_bytes = page_size_bytes();
  const UniqueFd memory(::open("/proc/self/mem", O_RDONLY | O_CLOEXEC));
  if (!memory.is_open()) GTEST_SKIP() << "/proc/self/mem cannot be read here";
  const UniqueFd one_page = open_rw("page");
  ASSERT_EQ(::ftruncate(one_page.get(), static_cast<off_t>(page_bytes)), 0);
  auto* pages =
      static_cast<uint8_t*>(::mmap(nullptr, 2 * page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, one_page.get(), 0));
  ASSERT_NE(pages, MAP_FAILED);
  paint({pages, page_bytes});
  std::vector<uint8_t> bytes(2 * page_bytes);
  Operation read;
  read.request = ReadRequest{memory.get(), bytes, reinterpret_cast<uint64_t>(pages)};
  EXPECT_EQ(run(read).sys_errno, EIO);
  EXPECT_EQ(read.result.done_bytes, page_bytes);
  EXPECT_TRUE(std::equal(pages, pages + page_bytes, bytes.begin()));
  ::munmap(pages, 2 * page_bytes);
}

TEST_P(BackendTest, AShortWriteIsContinuedUntilItsErrorComes) {
  struct rlimit limit;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit tight = {10'000, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  // A ring's workers keep the limits they were made under: this one starts under the new limit.
  set_depth(8);
  const UniqueFd fd = open_rw("file");
  const std::string bytes = painted(30'000, 0);
  Operation write;
  write.request = WriteRequest{fd.get(), as_bytes(bytes), 0};
  run(write);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  EXPECT_EQ(write.result.sys_errno, EFBIG);
  EXPECT_EQ(write.result.done_bytes, 10'000u);
  EXPECT_EQ(operation_error(write, ErrorSide::kDestination, "out").message, "writing 'out' at 10000: File too large");
}

// ---- Paths ----

TEST_P(BackendTest, PathsLongerThanTheKernelTakesAtOnce) {
  // 30 levels of 200 bytes: 6,030 bytes, more than PATH_MAX (4,096).
  std::string path;
  File level = directory();
  for (int i = 0; i < 30; ++i) {
    const std::string name(200, static_cast<char>('a' + i % 26));
    ASSERT_EQ(::mkdirat(level.fd(), name.c_str(), 0755), 0);
    level = std::move(*open_beneath(level, name, kOpenDirectory));
    path += name + "/";
  }
  const UniqueFd made(::openat(level.fd(), "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
  ASSERT_TRUE(made.is_open());
  const File from = directory();
  const OperationResult opened = open_path(from, path + "file");
  EXPECT_EQ(opened.sys_errno, 0);
  const UniqueFd fd(opened.fd);
  EXPECT_EQ(open_path(from, path + "missing").sys_errno, ENOENT);
}

TEST_P(BackendTest, NamesOfAnyBytes) {
  const std::string names[] = {std::string(255, '\xff'), "\xc3\x28 \n\x1b[31m", "-rf", " "};
  for (const std::string& name : names) write_file(temp_ / name, name);
  const File from = directory();
  for (const std::string& name : names) {
    const OperationResult opened = open_path(from, name);
    ASSERT_EQ(opened.sys_errno, 0);
    const UniqueFd fd(opened.fd);
    std::vector<uint8_t> bytes(300);
    Operation read;
    read.request = ReadRequest{fd.get(), bytes, 0};
    run(read);
    EXPECT_EQ(as_text(ByteSpan(bytes).first(read.result.done_bytes)), name);
  }
}

// ---- Many operations ----

// 10,000 reads at 100 bytes each, from one file, each checked.
TEST_P(BackendTest, TenThousandSmallReads) {
  constexpr size_t kReadCount = 10'000;
  constexpr size_t kReadBytes = 100;
  write_file(temp_ / "file", painted(kReadCount * kReadBytes, 0));
  const UniqueFd fd = open_rw("file");
  std::vector<uint8_t> bytes(kReadCount * kReadBytes);
  std::vector<Operation> operations(kReadCount);
  std::vector<Operation*> pointers;
  for (size_t i = 0; i < kReadCount; ++i) {
    operations[i].request =
        ReadRequest{fd.get(), MutableByteSpan(bytes).subspan(i * kReadBytes, kReadBytes), i * kReadBytes};
    pointers.push_back(&operations[i]);
  }
  submit_and_wait(*backend_, pointers);
  for (const Operation& operation : operations) {
    ASSERT_TRUE(operation.result.ok());
    ASSERT_EQ(operation.result.done_bytes, kReadBytes);
  }
  EXPECT_EQ(as_text(bytes), painted(bytes.size(), 0));
}

// A chain per slot: the callback of each operation submits the next, as a pipeline does.
struct Chain {
  Backend* backend = nullptr;
  int fd = -1;
  std::atomic<int>* done_count = nullptr;
  int left_count = 0;
  uint8_t byte = 0;
  Operation operation;

  static void on_complete(Operation& operation) {
    Chain& chain = *static_cast<Chain*>(operation.user);
    chain.done_count->fetch_add(operation.result.done_bytes == 1 ? 1 : 0);
    if (--chain.left_count > 0) chain.backend->submit(operation);
  }
};

TEST_P(BackendTest, CallbacksSubmitAndTheDestructorWaitsForAll) {
  write_file(temp_ / "file", "x");
  const UniqueFd fd = open_rw("file");
  std::atomic<int> done_count = 0;
  std::vector<Chain> chains(20);
  for (Chain& chain : chains) {
    chain.backend = backend_.get();
    chain.fd = fd.get();
    chain.done_count = &done_count;
    chain.left_count = 50;
    chain.operation.request = ReadRequest{fd.get(), {&chain.byte, 1}, 0};
    chain.operation.complete = Chain::on_complete;
    chain.operation.user = &chain;
    backend_->submit(chain.operation);
  }
  backend_.reset();
  EXPECT_EQ(done_count.load(), 20 * 50);
}

TEST_P(BackendTest, MoreOperationsThanFitWaitInside) {
  set_depth(2);
  write_file(temp_ / "file", "x");
  const UniqueFd fd = open_rw("file");
  std::vector<uint8_t> bytes(500);
  std::vector<Operation> operations(bytes.size());
  std::vector<Operation*> pointers;
  for (size_t i = 0; i < bytes.size(); ++i) {
    operations[i].request = ReadRequest{fd.get(), {&bytes[i], 1}, 0};
    pointers.push_back(&operations[i]);
  }
  submit_and_wait(*backend_, pointers);
  EXPECT_EQ(bytes, std::vector<uint8_t>(500, 'x'));
  const BackendCounters counters = backend_->counters();
  EXPECT_EQ(counters.submitted_count, 500u);
  EXPECT_GT(counters.queue_full_count, 0u);
}

TEST_P(BackendTest, ManyThreadsSubmitAtOnce) {
  write_file(temp_ / "file", painted(1000, 0));
  const UniqueFd fd = open_rw("file");
  std::atomic<int> good_count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (uint64_t i = 0; i < 200; ++i) {
        uint8_t byte = 0;
        Operation read;
        read.request = ReadRequest{fd.get(), {&byte, 1}, i};
        submit_and_wait(*backend_, read);
        good_count += byte == i % piecework::testing::kPaintPeriod ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good_count.load(), 800);
}

INSTANTIATE_TEST_SUITE_P(All, BackendTest,
                         ::testing::Values(Setup{"uring", BackendKind::kUring, false},
                                           Setup{"posix", BackendKind::kPosix, false},
                                           Setup{"uring_reordered", BackendKind::kUring, true},
                                           Setup{"posix_reordered", BackendKind::kPosix, true}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace piecework::io
