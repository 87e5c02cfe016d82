// What all backends share: taking operations in, waiting for them, choosing a backend.
#include "io/backend.h"

#include <condition_variable>
#include <mutex>

#include "io/posix_backend.h"
#include "io/uring_backend.h"
#include "kernels/base/check.h"

namespace piecework::io {
namespace {

// Counts completions down for submit_and_wait.
struct Waiter {
  std::mutex mutex;
  std::condition_variable all_done;
  size_t open_count = 0;
};

void count_down(Operation& operation) {
  Waiter& waiter = *static_cast<Waiter*>(operation.user);
  // Notified under the lock: the waiter may destroy itself as soon as the lock is free.
  const std::lock_guard lock(waiter.mutex);
  if (--waiter.open_count == 0) waiter.all_done.notify_one();
}

}  // namespace

void Backend::submit(std::span<Operation* const> operations) {
  if (operations.empty()) return;
  Operation* previous = nullptr;
  for (Operation* operation : operations) {
    PIECEWORK_CHECK(operation->kind() != OperationKind::kNone && operation->complete != nullptr);
    operation->result = {};
    operation->state = {};
    if (previous != nullptr) previous->state.next = operation;
    previous = operation;
  }
  enqueue(operations.front(), operations.back(), operations.size());
}

void Backend::submit(Operation& operation) {
  Operation* const one = &operation;
  submit({&one, 1});
}

Result<std::unique_ptr<Backend>> make_backend(const BackendOptions& options) {
  if (options.kind == BackendKind::kPosix) return make_posix_backend(options, "as asked for");
  Result<std::unique_ptr<Backend>> uring = make_uring_backend(options);
  if (uring || options.kind == BackendKind::kUring) return uring;
  return make_posix_backend(options, "because " + uring.error().message);
}

void submit_and_wait(Backend& backend, std::span<Operation* const> operations) {
  Waiter waiter;
  waiter.open_count = operations.size();
  for (Operation* operation : operations) {
    operation->complete = count_down;
    operation->user = &waiter;
  }
  backend.submit(operations);
  std::unique_lock lock(waiter.mutex);
  waiter.all_done.wait(lock, [&] { return waiter.open_count == 0; });
}

void submit_and_wait(Backend& backend, Operation& operation) {
  Operation* const one = &operation;
  submit_and_wait(backend, {&one, 1});
}

}  // namespace piecework::io
