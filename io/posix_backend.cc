#include "io/posix_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "io/blocking_calls.h"
#include "io/operation_list.h"
#include "kernels/base/check.h"

namespace piecework::io {
namespace {

// Safe for concurrent use, see Backend.
class PosixBackend final : public Backend {
 public:
  explicit PosixBackend(std::string description) : Backend(std::move(description)) {}
  ~PosixBackend() override;

  Status start(uint32_t thread_count);
  BackendCounters counters() const override;

 private:
  void enqueue(Operation* first, Operation* last, size_t operation_count) override;
  void work();
  // Waits for the next operation; none at the end.
  Operation* take();
  void finish(Operation& operation);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  OperationList waiting_;
  uint64_t open_count_ = 0;  // submitted, and complete() has not returned
  bool is_stopping_ = false;
  BackendCounters counters_;  // of submissions

  // Counted before the callback, so that whoever was told of a completion finds it in the counters.
  std::atomic<uint64_t> completed_count_ = 0;
  std::atomic<uint64_t> resubmitted_count_ = 0;

  std::vector<std::thread> threads_;
};

PosixBackend::~PosixBackend() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  PIECEWORK_CHECK(open_count_ == 0);
}

Status PosixBackend::start(uint32_t thread_count) {
  try {
    threads_.reserve(thread_count);
    for (uint32_t i = 0; i < thread_count; ++i) threads_.emplace_back([this] { work(); });
  } catch (const std::system_error& error) {
    if (threads_.empty()) {
      return fail_errno(error.code().value(), ErrorSide::kInternal, "starting threads for file input and output");
    }
    // Some threads are enough to go on; a machine short of them should not be a reason to fail.
  } catch (const std::bad_alloc&) {
    return fail_errno(ENOMEM, ErrorSide::kInternal, "starting threads for file input and output");
  }
  return {};
}

BackendCounters PosixBackend::counters() const {
  const std::lock_guard lock(mutex_);
  BackendCounters counters = counters_;
  counters.completed_count = completed_count_.load(std::memory_order_relaxed);
  counters.resubmitted_count = resubmitted_count_.load(std::memory_order_relaxed);
  return counters;
}

void PosixBackend::enqueue(Operation* first, Operation* last, size_t operation_count) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.append(first, last);
    const uint64_t open_before = open_count_;
    open_count_ += operation_count;
    counters_.submitted_count += operation_count;
    const uint64_t thread_count = threads_.size();
    if (open_count_ > thread_count) counters_.queue_full_count += open_count_ - std::max(open_before, thread_count);
  }
  operation_count == 1 ? changed_.notify_one() : changed_.notify_all();
}

void PosixBackend::work() {
  while (Operation* operation = take()) {
    resubmitted_count_.fetch_add(perform_to_end(*operation), std::memory_order_relaxed);
    completed_count_.fetch_add(1, std::memory_order_relaxed);
    finish(*operation);
  }
}

Operation* PosixBackend::take() {
  std::unique_lock lock(mutex_);
  // Callbacks may submit more: the end is when nothing is open, not when nothing waits.
  changed_.wait(lock, [this] { return !waiting_.empty() || (is_stopping_ && open_count_ == 0); });
  return waiting_.pop_front();
}

void PosixBackend::finish(Operation& operation) {
  operation.complete(operation);  // from here on `operation` is the caller's
  const std::lock_guard lock(mutex_);
  if (--open_count_ == 0 && is_stopping_) changed_.notify_all();
}

}  // namespace

Result<std::unique_ptr<Backend>> make_posix_backend(const BackendOptions& options, std::string_view reason) {
  if (options.thread_count == 0) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig, "a backend of zero threads for file input and output");
  }
  auto backend =
      std::make_unique<PosixBackend>(fmt::format("{} threads with blocking calls, {}", options.thread_count, reason));
  PIECEWORK_TRY(backend->start(options.thread_count));
  return backend;
}

}  // namespace piecework::io
