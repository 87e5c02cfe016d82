// The fault-injecting backend injects what it says: a test of a test tool, since silent tools find nothing.
#include "tests/support/fault_backend.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "io/file.h"
#include "tests/support/temp_dir.h"

namespace piecework::testing {
namespace {

using io::Operation;
using io::OperationKind;

class FaultBackendTest : public ::testing::Test {
 protected:
  void use(const FaultPlan& plan) {
    backend_ = std::make_unique<FaultBackend>(
        std::move(*io::make_backend({.kind = io::BackendKind::kPosix, .thread_count = 2})), plan);
  }
  void SetUp() override {
    fd_ = io::UniqueFd(::open((temp_ / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    ASSERT_TRUE(fd_.is_open());
  }
  io::OperationResult run(const io::Request& request) {
    Operation operation;
    operation.request = request;
    io::submit_and_wait(*backend_, operation);
    return operation.result;
  }
  io::OperationResult write(std::string_view bytes, uint64_t offset_bytes) {
    return run(io::WriteRequest{fd_.get(), as_bytes(bytes), offset_bytes});
  }
  io::OperationResult read(size_t size_bytes) {
    bytes_.assign(size_bytes, 0);
    return run(io::ReadRequest{fd_.get(), bytes_, 0});
  }
  TempDir temp_;
  io::UniqueFd fd_;
  std::vector<uint8_t> bytes_;
  std::unique_ptr<FaultBackend> backend_;
};

TEST_F(FaultBackendTest, FailsTheChosenOperationOfItsKindAndNoOther) {
  use({.at = FaultAt{.kind = OperationKind::kWrite, .index = 1, .sys_errno = ENOSPC, .done_bytes_max = 2}});
  EXPECT_TRUE(write("abcd", 0).ok());
  EXPECT_TRUE(read(4).ok());
  const io::OperationResult failed = write("ABCD", 0);
  EXPECT_EQ(failed.sys_errno, ENOSPC);
  EXPECT_EQ(failed.done_bytes, 2u);
  EXPECT_TRUE(write("z", 3).ok());
  read(4);
  EXPECT_EQ(as_text(bytes_), "ABcz");
  EXPECT_EQ(backend_->seen_count(OperationKind::kWrite), 3u);
  EXPECT_EQ(backend_->seen_count(OperationKind::kNone), 5u);
  EXPECT_EQ(backend_->injected_count(), 1u);
}

TEST_F(FaultBackendTest, EndsAFileEarly) {
  use({.at = FaultAt{.kind = OperationKind::kRead, .done_bytes_max = 3, .repeats = true}});
  write("abcdef", 0);
  for (int i = 0; i < 2; ++i) {
    const io::OperationResult cut = read(6);
    EXPECT_TRUE(cut.ok());
    EXPECT_EQ(cut.done_bytes, 3u);
  }
}

// The trap that fsync sets: the first failure loses the bytes, the second call succeeds.
TEST_F(FaultBackendTest, AFailedSyncLosesWhatWasNotSynced) {
  use({.at = FaultAt{.kind = OperationKind::kSync, .index = 1, .sys_errno = EIO}});
  write("kept", 0);
  EXPECT_TRUE(run(io::SyncRequest{fd_.get(), true}).ok());
  write("lost", 4096);
  EXPECT_EQ(run(io::SyncRequest{fd_.get(), false}).sys_errno, EIO);
  EXPECT_TRUE(run(io::SyncRequest{fd_.get(), false}).ok());
  read(4100);
  EXPECT_EQ(as_text(ByteSpan(bytes_).first(4)), "kept");
  EXPECT_EQ(as_text(ByteSpan(bytes_).subspan(4096)), std::string(4, '\0'));
}

TEST_F(FaultBackendTest, TheSameSeedInjectsTheSameFaults) {
  std::vector<std::vector<int>> outcomes;
  for (int round = 0; round < 2; ++round) {
    use({.seed = 42, .error_permille = 300});
    std::vector<int> outcome;
    for (int i = 0; i < 50; ++i) outcome.push_back(write("abcdefgh", 0).sys_errno);
    EXPECT_GT(backend_->injected_count(), 0u);
    EXPECT_LT(backend_->injected_count(), 50u);
    outcomes.push_back(outcome);
  }
  EXPECT_EQ(outcomes[0], outcomes[1]);
}

TEST_F(FaultBackendTest, FailedOpensLeakNothingAndFailedClosesClose) {
  use({.at = FaultAt{.index = 0, .sys_errno = EMFILE, .repeats = true}});
  const io::File directory = std::move(*io::open_named_directory(temp_.path().string(), ErrorSide::kSource));
  const io::OperationResult opened = run(io::OpenRequest{directory.fd(), "file"});
  EXPECT_EQ(opened.sys_errno, EMFILE);
  EXPECT_EQ(opened.fd, -1);
  const int number = ::dup(fd_.get());
  EXPECT_EQ(run(io::CloseRequest{number}).sys_errno, EMFILE);
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

// Collected completions come in another order than they were submitted in, and all of them come.
TEST_F(FaultBackendTest, ReordersCompletions) {
  use({.seed = 3, .stall_permille = 100, .stall = std::chrono::milliseconds(2), .reorder_count = 16});
  struct Recorded {
    Operation operation;
    int number = 0;
    std::vector<int>* order = nullptr;
  };
  std::vector<int> order;  // the deliverer is one thread
  std::vector<Recorded> operations(64);
  std::vector<Operation*> pointers;
  for (int i = 0; i < 64; ++i) {
    Recorded& recorded = operations[static_cast<size_t>(i)];
    recorded.number = i;
    recorded.order = &order;
    recorded.operation.request = io::SyncRequest{fd_.get(), true};
    recorded.operation.user = &recorded;
    recorded.operation.complete = [](Operation& operation) {
      const auto* self = static_cast<Recorded*>(operation.user);
      self->order->push_back(self->number);
    };
    pointers.push_back(&recorded.operation);
  }
  backend_->submit(pointers);
  backend_.reset();  // waits for all
  EXPECT_EQ(order.size(), 64u);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
}

}  // namespace
}  // namespace piecework::testing
