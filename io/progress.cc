#include "io/progress.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "io/errno_map.h"
#include "kernels/base/check.h"

namespace piecework::io {
namespace {

// Sources are opened with O_NONBLOCK against fifos. On a regular file it should mean nothing, but io_uring gives EAGAIN
// for it where the file system has no non-blocking reads (FUSE, some network file systems, kernels before 5.18).
void clear_nonblock(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) != 0) fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

void allow_blocking(Operation& operation) {
  operation.state.may_block = true;
  if (const auto* read = std::get_if<ReadRequest>(&operation.request)) clear_nonblock(read->fd);
  if (const auto* write = std::get_if<WriteRequest>(&operation.request)) clear_nonblock(write->fd);
}

Progress apply_errno(Operation& operation, int sys_errno) {
  const ErrnoDecision decision = errno_decision(operation.kind(), sys_errno);
  if (decision == ErrnoDecision::kSuccess) return Progress::kDone;
  const bool retries = decision == ErrnoDecision::kRetry || decision == ErrnoDecision::kRetryBlocking;
  if (!retries || operation.state.retry_count >= kRetryCountMax) {
    operation.result.sys_errno = sys_errno;
    return Progress::kDone;
  }
  ++operation.state.retry_count;
  if (decision == ErrnoDecision::kRetryBlocking) allow_blocking(operation);
  return Progress::kAgain;
}

// A transfer of `moved_bytes` out of `wanted_bytes` in all.
Progress apply_transfer(Operation& operation, uint64_t moved_bytes, uint64_t wanted_bytes) {
  operation.result.done_bytes += moved_bytes;
  operation.state.retry_count = 0;
  PIECEWORK_CHECK(operation.result.done_bytes <= wanted_bytes);
  return operation.result.done_bytes == wanted_bytes ? Progress::kDone : Progress::kAgain;
}

}  // namespace

Progress apply_kernel_result(Operation& operation, int64_t kernel_result) {
  if (kernel_result < 0) return apply_errno(operation, static_cast<int>(-kernel_result));
  switch (operation.kind()) {
    case OperationKind::kOpen:
      operation.result.fd = static_cast<int>(kernel_result);
      return Progress::kDone;
    case OperationKind::kRead:
      if (kernel_result == 0) return Progress::kDone;  // the end of the file, or an empty target
      return apply_transfer(operation, static_cast<uint64_t>(kernel_result),
                            std::get<ReadRequest>(operation.request).target.size());
    case OperationKind::kWrite: {
      const uint64_t wanted_bytes = std::get<WriteRequest>(operation.request).source.size();
      // A regular file that takes nothing and says no why would be asked for ever.
      if (kernel_result == 0 && wanted_bytes != 0) return apply_errno(operation, EIO);
      return apply_transfer(operation, static_cast<uint64_t>(kernel_result), wanted_bytes);
    }
    case OperationKind::kStat:
    case OperationKind::kSync:
    case OperationKind::kClose:
      return Progress::kDone;
    case OperationKind::kNone:
      break;
  }
  PIECEWORK_CHECK(!"an operation without a request");
  return Progress::kDone;
}

MutableByteSpan remaining_target(const Operation& operation) {
  const MutableByteSpan rest = std::get<ReadRequest>(operation.request).target.subspan(operation.result.done_bytes);
  return rest.first(std::min<uint64_t>(rest.size(), kTransferBytesMax));
}

ByteSpan remaining_source(const Operation& operation) {
  const ByteSpan rest = std::get<WriteRequest>(operation.request).source.subspan(operation.result.done_bytes);
  return rest.first(std::min<uint64_t>(rest.size(), kTransferBytesMax));
}

uint64_t current_offset(const Operation& operation) {
  if (const auto* read = std::get_if<ReadRequest>(&operation.request)) {
    return read->offset_bytes + operation.result.done_bytes;
  }
  if (const auto* write = std::get_if<WriteRequest>(&operation.request)) {
    return write->offset_bytes + operation.result.done_bytes;
  }
  return 0;
}

}  // namespace piecework::io
