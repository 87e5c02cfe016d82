#include "io/blocking_calls.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "io/file.h"
#include "io/progress.h"
#include "kernels/base/check.h"

namespace piecework::io {
namespace {

int64_t errno_if_negative(int64_t call_result) { return call_result < 0 ? -errno : call_result; }

// One call; returns its value or -errno.
int64_t perform_once(Operation& operation) {
  switch (operation.kind()) {
    case OperationKind::kOpen: {
      const OpenRequest& open = std::get<OpenRequest>(operation.request);
      return open_beneath_fd(open.directory_fd, open.path, open.how);
    }
    case OperationKind::kStat: {
      const StatRequest& stat = std::get<StatRequest>(operation.request);
      return errno_if_negative(::statx(stat.directory_fd, stat.path, stat.flags, stat.mask, stat.target));
    }
    case OperationKind::kRead: {
      const MutableByteSpan target = remaining_target(operation);
      const int fd = std::get<ReadRequest>(operation.request).fd;
      return errno_if_negative(
          ::pread(fd, target.data(), target.size(), static_cast<off_t>(current_offset(operation))));
    }
    case OperationKind::kWrite: {
      const ByteSpan source = remaining_source(operation);
      const int fd = std::get<WriteRequest>(operation.request).fd;
      return errno_if_negative(
          ::pwrite(fd, source.data(), source.size(), static_cast<off_t>(current_offset(operation))));
    }
    case OperationKind::kSync: {
      const SyncRequest& sync = std::get<SyncRequest>(operation.request);
      return errno_if_negative(sync.data_only ? ::fdatasync(sync.fd) : ::fsync(sync.fd));
    }
    case OperationKind::kClose:
      return errno_if_negative(::close(std::get<CloseRequest>(operation.request).fd));
    case OperationKind::kNone:
      break;
  }
  PIECEWORK_CHECK(!"an operation without a request");
  return 0;
}

}  // namespace

uint64_t perform_to_end(Operation& operation) {
  uint64_t repeat_count = 0;
  while (apply_kernel_result(operation, perform_once(operation)) == Progress::kAgain) ++repeat_count;
  return repeat_count;
}

}  // namespace piecework::io
