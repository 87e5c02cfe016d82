// What each errno means for each operation: try again, give up and with which code, or never mind; with reasons.
//
// The same errno can mean different things: EINTR of a read is tried again, EINTR of close(2) is success on Linux (the
// descriptor is gone), EINTR of fsync is a failure, because an fsync is never repeated. What is not in the table fails
// with the code that kernels/base/error.cc gives the errno.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "io/operation.h"
#include "kernels/base/error.h"

namespace piecework::io {

enum class ErrnoDecision : uint8_t {
  kFail,
  kRetry,          // nothing happened, the same call again
  kRetryBlocking,  // the kernel would not wait: again, with leave to block
  kSuccess,        // what was asked for is done all the same
};

struct ErrnoRule {
  OperationKind kind;
  int sys_errno;
  ErrnoDecision decision;
  ErrorCode code;  // of a kFail, and of a retry that was given up
  const char* reason;
};

// All rows, grouped by kind; no (kind, errno) twice.
std::span<const ErrnoRule> errno_rules();

// The row for `sys_errno`, or none.
const ErrnoRule* find_errno_rule(OperationKind kind, int sys_errno);

ErrnoDecision errno_decision(OperationKind kind, int sys_errno);

// "reading 'dir/file' at 4096: Input/output error", with the row's code, or the one of the errno alone. Where `side` is
// the source, the error carries `path` for lists of skipped items.
Error errno_error_of(OperationKind kind, int sys_errno, ErrorSide side, std::string_view path,
                     uint64_t offset_bytes = 0);

// The same from a completed operation that failed; the offset is how far it came.
// REQUIRES: !operation.result.ok().
Error operation_error(const Operation& operation, ErrorSide side, std::string_view path);

// How often an operation is tried again in a row without any progress; then the errno is reported. A fifo of signals or
// a file lease (EAGAIN until its holder lets go) must not keep a ring thread busy for ever.
inline constexpr uint32_t kRetryCountMax = 100;

}  // namespace piecework::io
