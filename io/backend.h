// Where operations go: an asynchronous backend, either an io_uring ring or a pool of threads with blocking calls.
//
// Both give the same results. Short reads and short writes are continued by the backend until the span is full, the
// file ends or an error comes; EINTR and the like are retried (io/errno_map.h says what, and why). More operations than
// fit wait inside, in the order of their submission: a full queue is back-pressure, never an error. Operations in
// flight at the same time complete in any order.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "io/errno_map.h"  // operation_error, for whoever looks at results
#include "io/operation.h"
#include "kernels/base/error.h"

namespace piecework::io {

enum class BackendKind : uint8_t {
  kAutomatic,  // io_uring where it works, else threads
  kUring,
  kPosix,
};

struct BackendOptions {
  BackendKind kind = BackendKind::kAutomatic;
  uint32_t depth = 256;        // operations in flight in the ring
  uint32_t thread_count = 16;  // threads of the posix backend; also the least number of the ring's blocking workers
};

// Counted since the start; a snapshot, exact when nothing is in flight.
struct BackendCounters {
  uint64_t submitted_count = 0;
  uint64_t completed_count = 0;
  uint64_t resubmitted_count = 0;  // continued after a short transfer, or retried
  uint64_t queue_full_count = 0;   // operations that had to wait for a place
};

// Safe for concurrent use. `complete` of an operation is called on a thread of the backend, with the posix backend on
// several at once; it may submit further operations.
class Backend {
 public:
  // Waits until every operation has completed, those submitted by callbacks included.
  // REQUIRES: not on a thread of the backend; no other thread still submits.
  virtual ~Backend() = default;

  // Takes all of `operations` (the pointers are copied) and returns without waiting.
  // REQUIRES: each has a request and a `complete`, and is not in flight.
  void submit(std::span<Operation* const> operations);
  void submit(Operation& operation);

  virtual BackendCounters counters() const = 0;

  // One line for people: what was picked, and why.
  const std::string& description() const { return description_; }

 protected:
  explicit Backend(std::string description) : description_(std::move(description)) {}

 private:
  // Operations arrive with a clean `result` and `state`, linked by state.next from `first` to `last`.
  virtual void enqueue(Operation* first, Operation* last, size_t operation_count) = 0;

  std::string description_;
};

// The backend that `options.kind` names; automatic never fails where threads can be made.
// Errors: kUnsupported where io_uring was asked for and is not to be had (the message names the likely cause and the
// fix), kResourceExhausted for threads or memory.
Result<std::unique_ptr<Backend>> make_backend(const BackendOptions& options);

// Submits, and blocks until all have completed. Overwrites `complete` and `user`.
// REQUIRES: not on a thread of the backend.
void submit_and_wait(Backend& backend, std::span<Operation* const> operations);
void submit_and_wait(Backend& backend, Operation& operation);

}  // namespace piecework::io
