// One asynchronous operation: what to do, what came of it, and whom to tell.
//
// An Operation is owned by its caller and is intrusive: the backend (io/backend.h) links it into its lists and
// allocates nothing. Fill `request`, `complete` and `user`, submit it, and leave it where it is until `complete` is
// called. From that call on the backend does not touch it again: the callback may submit it anew or destroy it.
//
// What a request points to (path, buffers, the statx target) must stay alive and unchanged until completion.
#pragma once

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include <cstdint>
#include <variant>

#include "kernels/base/bytes.h"

namespace piecework::io {

// Sources are opened so that a fifo does not hang, a terminal is not taken over and a symlink is refused.
inline constexpr uint64_t kOpenForReading = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW;
// For use with kResolveBeneath: that refuses symlinks with ELOOP, where O_NOFOLLOW with O_DIRECTORY would say ENOTDIR.
inline constexpr uint64_t kOpenDirectory = (kOpenForReading & ~uint64_t{O_NOFOLLOW}) | O_DIRECTORY;
// No component may be a symlink or lead out of the directory that the lookup starts from.
inline constexpr uint64_t kResolveBeneath = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

// openat2(2). `path` is NUL-terminated and relative to `directory_fd`; it may be longer than PATH_MAX.
// Result: `fd`, owned by the caller.
struct OpenRequest {
  int directory_fd = AT_FDCWD;
  const char* path = nullptr;
  struct open_how how = {kOpenForReading, 0, kResolveBeneath};
};

// statx(2) into `target`. `path` is shorter than PATH_MAX; an empty one means the descriptor itself (AT_EMPTY_PATH is
// in the default flags).
struct StatRequest {
  int directory_fd = AT_FDCWD;
  const char* path = "";
  struct statx* target = nullptr;
  int flags = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  unsigned mask = STATX_BASIC_STATS;
};

// Fills `target` from `offset_bytes` on. REQUIRES: a regular file (look at its stamp first: reading a fifo would wait).
// Result: `done_bytes`, less than the span only at the end of the file or with an error.
struct ReadRequest {
  int fd = -1;
  MutableByteSpan target;
  uint64_t offset_bytes = 0;
};

// Writes all of `source` at `offset_bytes`. Result: `done_bytes`, less than the span only with an error.
struct WriteRequest {
  int fd = -1;
  ByteSpan source;
  uint64_t offset_bytes = 0;
};

// fsync(2), or fdatasync(2) where `data_only`. A failure means that written bytes may be gone although a second call
// would succeed: it is never retried, and the file must be thrown away.
struct SyncRequest {
  int fd = -1;
  bool data_only = false;
};

// close(2). The descriptor is gone whatever the result.
struct CloseRequest {
  int fd = -1;
};

using Request =
    std::variant<std::monostate, OpenRequest, StatRequest, ReadRequest, WriteRequest, SyncRequest, CloseRequest>;

// The alternatives of Request, in order: for switches, tables and messages.
enum class OperationKind : uint8_t { kNone, kOpen, kStat, kRead, kWrite, kSync, kClose };
inline constexpr uint8_t kOperationKindCount = 7;
static_assert(std::variant_size_v<Request> == kOperationKindCount);

struct OperationResult {
  int sys_errno = 0;        // 0: success
  int fd = -1;              // open: the new descriptor
  uint64_t done_bytes = 0;  // read and write: bytes moved, counted up to the error where there is one
  bool ok() const { return sys_errno == 0; }
};

// Thread-compatible; between submit and completion it belongs to the backend alone.
struct Operation {
  Request request;
  OperationResult result;
  // Called once, on a thread of the backend. Must be short, must not block, must not throw.
  void (*complete)(Operation& operation) = nullptr;
  void* user = nullptr;

  Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  OperationKind kind() const { return static_cast<OperationKind>(request.index()); }

  // The backend's own notes; meaningless to the caller.
  struct BackendState {
    Operation* next = nullptr;
    uint32_t retry_count = 0;
    bool may_block = false;  // the kernel asked for a blocking attempt (EAGAIN)
  } state;
};

}  // namespace piecework::io
