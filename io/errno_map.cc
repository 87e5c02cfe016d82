// The table; see errno_map.h. Sources: the calls' man pages, fs/namei.c (openat2), block/blk-core.c (media errors).
#include "io/errno_map.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "io/progress.h"
#include "kernels/base/check.h"

namespace piecework::io {
namespace {

using enum ErrnoDecision;
using Kind = OperationKind;
using Code = ErrorCode;

constexpr std::array kRules{
    // ---- openat2 ----
    ErrnoRule{Kind::kOpen, EINTR, kRetry, Code::kIo, "a signal came while a network file system was asked"},
    ErrnoRule{Kind::kOpen, EAGAIN, kRetryBlocking, Code::kUnavailable,
              "a rename raced with RESOLVE_BENEATH, the ring would not wait, or another process holds a lease"},
    ErrnoRule{Kind::kOpen, ENOENT, kFail, Code::kNotFound, "the name does not exist, or no longer"},
    ErrnoRule{Kind::kOpen, ENOTDIR, kFail, Code::kNotFound, "a directory on the way was replaced by something else"},
    ErrnoRule{Kind::kOpen, ESTALE, kFail, Code::kNotFound, "the file server no longer knows the directory"},
    ErrnoRule{Kind::kOpen, ELOOP, kFail, Code::kChanged,
              "a component is a symlink: planted, or put there since the walk"},
    ErrnoRule{Kind::kOpen, EXDEV, kFail, Code::kChanged, "the path leads out of its directory"},
    ErrnoRule{Kind::kOpen, ENXIO, kFail, Code::kChanged,
              "a socket or a device without a driver stands where a file was"},
    ErrnoRule{Kind::kOpen, ENODEV, kFail, Code::kChanged, "a device without a driver stands where a file was"},
    ErrnoRule{Kind::kOpen, EACCES, kFail, Code::kPermission, "no read permission, or no search permission on the way"},
    ErrnoRule{Kind::kOpen, EPERM, kFail, Code::kPermission, "a security module or seal forbids it"},
    ErrnoRule{Kind::kOpen, EMFILE, kFail, Code::kResourceExhausted, "the process is out of descriptors"},
    ErrnoRule{Kind::kOpen, ENFILE, kFail, Code::kResourceExhausted, "the system is out of descriptors"},
    ErrnoRule{Kind::kOpen, ENOMEM, kFail, Code::kResourceExhausted, "the kernel is out of memory"},
    ErrnoRule{Kind::kOpen, EIO, kFail, Code::kIo, "the medium failed under a directory or an inode"},
    ErrnoRule{Kind::kOpen, EUCLEAN, kFail, Code::kIo, "the file system's own structures are damaged"},
    // ---- statx ----
    ErrnoRule{Kind::kStat, EINTR, kRetry, Code::kIo, "a signal came while a network file system was asked"},
    ErrnoRule{Kind::kStat, EAGAIN, kRetryBlocking, Code::kUnavailable, "the ring would not wait"},
    ErrnoRule{Kind::kStat, ENOENT, kFail, Code::kNotFound, "the name does not exist, or no longer"},
    ErrnoRule{Kind::kStat, ENOTDIR, kFail, Code::kNotFound, "a directory on the way was replaced by something else"},
    ErrnoRule{Kind::kStat, ESTALE, kFail, Code::kNotFound, "the file server no longer knows the file"},
    ErrnoRule{Kind::kStat, ELOOP, kFail, Code::kChanged, "too many symlinks on the way"},
    ErrnoRule{Kind::kStat, EACCES, kFail, Code::kPermission, "no search permission on the way"},
    ErrnoRule{Kind::kStat, ENOMEM, kFail, Code::kResourceExhausted, "the kernel is out of memory"},
    ErrnoRule{Kind::kStat, EIO, kFail, Code::kIo, "the medium failed under the inode"},
    ErrnoRule{Kind::kStat, EUCLEAN, kFail, Code::kIo, "the file system's own structures are damaged"},
    // ---- pread ----
    ErrnoRule{Kind::kRead, EINTR, kRetry, Code::kIo, "a signal came before the first byte"},
    ErrnoRule{Kind::kRead, EAGAIN, kRetryBlocking, Code::kUnavailable,
              "O_NONBLOCK on a file system without non-blocking reads, or the ring would not wait"},
    ErrnoRule{Kind::kRead, EIO, kFail, Code::kIo,
              "the medium failed; bytes before it came as a short read and are already counted"},
    ErrnoRule{Kind::kRead, EISDIR, kFail, Code::kChanged, "a directory stands where a file was"},
    ErrnoRule{Kind::kRead, ESTALE, kFail, Code::kNotFound, "the file server no longer knows the file"},
    ErrnoRule{Kind::kRead, ENOMEM, kFail, Code::kResourceExhausted, "the kernel is out of memory"},
    ErrnoRule{Kind::kRead, ENODATA, kFail, Code::kIo, "the block layer's name for an unreadable sector"},
    ErrnoRule{Kind::kRead, EREMOTEIO, kFail, Code::kIo, "the block layer's name for a failed target"},
    ErrnoRule{Kind::kRead, EILSEQ, kFail, Code::kIo, "the block layer's name for a failed protection check"},
    ErrnoRule{Kind::kRead, ETIMEDOUT, kFail, Code::kIo, "the device or the server stopped answering"},
    ErrnoRule{Kind::kRead, EUCLEAN, kFail, Code::kIo, "the file system's own structures are damaged"},
    // ---- pwrite ----
    ErrnoRule{Kind::kWrite, EINTR, kRetry, Code::kIo, "a signal came before the first byte"},
    ErrnoRule{Kind::kWrite, EAGAIN, kRetryBlocking, Code::kUnavailable, "the ring would not wait"},
    ErrnoRule{Kind::kWrite, ENOSPC, kFail, Code::kNoSpace, "the file system is full"},
    ErrnoRule{Kind::kWrite, EDQUOT, kFail, Code::kNoSpace, "the quota is used up"},
    ErrnoRule{Kind::kWrite, EFBIG, kFail, Code::kNoSpace, "larger than RLIMIT_FSIZE or the file system allow"},
    ErrnoRule{Kind::kWrite, EROFS, kFail, Code::kNoSpace, "the file system went read-only"},
    ErrnoRule{Kind::kWrite, EPERM, kFail, Code::kPermission, "the file is sealed or immutable"},
    ErrnoRule{Kind::kWrite, ENOMEM, kFail, Code::kResourceExhausted, "the kernel is out of memory"},
    ErrnoRule{Kind::kWrite, EIO, kFail, Code::kIo, "the medium failed"},
    ErrnoRule{Kind::kWrite, EINVAL, kFail, Code::kIo,
              "an O_DIRECT write stopped short between two blocks, or the device wants another alignment"},
    ErrnoRule{Kind::kWrite, ETIMEDOUT, kFail, Code::kIo, "the device or the server stopped answering"},
    // ---- fsync, fdatasync: nothing here is ever tried again ----
    ErrnoRule{Kind::kSync, EINTR, kFail, Code::kIo, "whether the bytes reached the medium is unknown"},
    ErrnoRule{Kind::kSync, EAGAIN, kFail, Code::kIo, "whether the bytes reached the medium is unknown"},
    ErrnoRule{Kind::kSync, EIO, kFail, Code::kIo, "dirty pages were dropped; a second fsync would report success"},
    ErrnoRule{Kind::kSync, ENOSPC, kFail, Code::kNoSpace,
              "delayed or thin allocation found no room: pages were dropped"},
    ErrnoRule{Kind::kSync, EDQUOT, kFail, Code::kNoSpace, "the quota was used up by delayed allocation"},
    ErrnoRule{Kind::kSync, EROFS, kFail, Code::kNoSpace, "the file system went read-only"},
    ErrnoRule{Kind::kSync, EINVAL, kFail, Code::kUnsupported, "this kind of file cannot be synced"},
    // ---- close ----
    ErrnoRule{Kind::kClose, EINTR, kSuccess, Code::kIo,
              "Linux has released the descriptor; again could hit another file"},
    ErrnoRule{Kind::kClose, EIO, kFail, Code::kIo, "a network or user-space file system lost an earlier write"},
    ErrnoRule{Kind::kClose, ENOSPC, kFail, Code::kNoSpace, "a network file system wrote late and found no room"},
    ErrnoRule{Kind::kClose, EDQUOT, kFail, Code::kNoSpace, "a network file system wrote late and over quota"},
};

constexpr std::array<std::string_view, kOperationKindCount> kVerbs = {"working on", "opening", "examining", "reading",
                                                                      "writing",    "syncing", "closing"};

}  // namespace

std::span<const ErrnoRule> errno_rules() { return kRules; }

const ErrnoRule* find_errno_rule(OperationKind kind, int sys_errno) {
  for (const ErrnoRule& rule : kRules) {
    if (rule.kind == kind && rule.sys_errno == sys_errno) return &rule;
  }
  return nullptr;
}

ErrnoDecision errno_decision(OperationKind kind, int sys_errno) {
  const ErrnoRule* rule = find_errno_rule(kind, sys_errno);
  return rule == nullptr ? kFail : rule->decision;
}

Error errno_error_of(OperationKind kind, int sys_errno, ErrorSide side, std::string_view path, uint64_t offset_bytes) {
  std::string message = fmt::format("{} '{}'", kVerbs[static_cast<size_t>(kind)], printable(path));
  if (kind == Kind::kRead || kind == Kind::kWrite) message += fmt::format(" at {}", offset_bytes);
  Error error = errno_error(sys_errno, side, message);
  if (const ErrnoRule* rule = find_errno_rule(kind, sys_errno); rule != nullptr) error.code = rule->code;
  if (side == ErrorSide::kSource) error.path = path;
  return error;
}

Error operation_error(const Operation& operation, ErrorSide side, std::string_view path) {
  PIECEWORK_CHECK(!operation.result.ok());
  return errno_error_of(operation.kind(), operation.result.sys_errno, side, path, current_offset(operation));
}

}  // namespace piecework::io
