#include "io/file.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "io/blocking_calls.h"
#include "io/errno_map.h"

namespace piecework::io {
namespace {

tl::unexpected<Error> fail_operation(OperationKind kind, int sys_errno, ErrorSide side, std::string_view path,
                                     uint64_t offset_bytes = 0) {
  return tl::unexpected<Error>(errno_error_of(kind, sys_errno, side, path, offset_bytes));
}

}  // namespace

void UniqueFd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

Result<FileStamp> File::stamp() const { return stamp_fd(fd(), side_, path_); }

Result<size_t> File::read_full(MutableByteSpan target, uint64_t offset_bytes) const {
  return pread_full(fd(), target, offset_bytes, side_, path_);
}

Status File::write_full(ByteSpan source, uint64_t offset_bytes) const {
  return pwrite_full(fd(), source, offset_bytes, side_, path_);
}

Result<File> open_named(const std::string& path, ErrorSide side) {
  const int fd = ::open(path.c_str(), static_cast<int>(kOpenForReading & ~uint64_t{O_NOFOLLOW}));
  if (fd < 0) return fail_operation(OperationKind::kOpen, errno, side, path);
  return File(UniqueFd(fd), path, side);
}

Result<File> open_named_directory(const std::string& path, ErrorSide side) {
  const int fd = ::open(path.c_str(), static_cast<int>(kOpenDirectory));
  if (fd < 0) return fail_operation(OperationKind::kOpen, errno, side, path);
  return File(UniqueFd(fd), path, side);
}

Result<File> open_beneath(const File& directory, std::string_view path, uint64_t flags) {
  std::string full_path = fmt::format("{}/{}", directory.path(), path);
  if (path.find('\0') != std::string_view::npos) {
    return fail_operation(OperationKind::kOpen, EINVAL, directory.side(), full_path);
  }
  const std::string terminated(path);
  Operation operation;
  operation.request = OpenRequest{directory.fd(), terminated.c_str(), {flags, 0, kResolveBeneath}};
  perform_to_end(operation);
  if (!operation.result.ok()) return tl::unexpected<Error>(operation_error(operation, directory.side(), full_path));
  return File(UniqueFd(operation.result.fd), std::move(full_path), directory.side());
}

Result<std::optional<UniqueFd>> try_open_cached(int directory_fd, const char* path, ErrorSide side,
                                                std::string_view path_for_message) {
  if (!has_openat2()) return std::nullopt;
  struct open_how how = {kOpenForReading, 0, kResolveBeneath | RESOLVE_CACHED};
  const long fd = ::syscall(SYS_openat2, directory_fd, path, &how, sizeof how);
  if (fd >= 0) return UniqueFd(static_cast<int>(fd));
  switch (errno) {
    case EAGAIN:  // not cached, or a rename raced
    case EINTR:
    case EINVAL:        // kernels before 5.12 do not know RESOLVE_CACHED
    case ENAMETOOLONG:  // a backend walks it in pieces
      return std::nullopt;
    default:
      return fail_operation(OperationKind::kOpen, errno, side, path_for_message);
  }
}

Result<size_t> pread_full(int fd, MutableByteSpan target, uint64_t offset_bytes, ErrorSide side,
                          std::string_view path_for_message) {
  Operation operation;
  operation.request = ReadRequest{fd, target, offset_bytes};
  perform_to_end(operation);
  if (!operation.result.ok()) return tl::unexpected<Error>(operation_error(operation, side, path_for_message));
  return operation.result.done_bytes;
}

Status pwrite_full(int fd, ByteSpan source, uint64_t offset_bytes, ErrorSide side, std::string_view path_for_message) {
  Operation operation;
  operation.request = WriteRequest{fd, source, offset_bytes};
  perform_to_end(operation);
  if (!operation.result.ok()) return tl::unexpected<Error>(operation_error(operation, side, path_for_message));
  return {};
}

Result<CachedRead> try_read_cached(int fd, MutableByteSpan target, uint64_t offset_bytes, ErrorSide side,
                                   std::string_view path_for_message) {
  CachedRead outcome;
  while (outcome.read_bytes < target.size()) {
    const struct iovec rest = {target.data() + outcome.read_bytes, target.size() - outcome.read_bytes};
    const ssize_t result = ::preadv2(fd, &rest, 1, static_cast<off_t>(offset_bytes + outcome.read_bytes), RWF_NOWAIT);
    if (result > 0) {
      outcome.read_bytes += static_cast<size_t>(result);
      continue;
    }
    if (result == 0) {
      outcome.end = ReadEnd::kEndOfFile;
      return outcome;
    }
    switch (errno) {
      case EAGAIN:
      case EINTR:
      case EOPNOTSUPP:  // the file system cannot read without waiting
      case EINVAL:
      case ENOSYS:
        outcome.end = ReadEnd::kWouldBlock;
        return outcome;
      default:
        return fail_operation(OperationKind::kRead, errno, side, path_for_message, offset_bytes + outcome.read_bytes);
    }
  }
  return outcome;
}

Result<FileStamp> stamp_fd(int fd, ErrorSide side, std::string_view path_for_message) {
  struct stat status;
  if (::fstat(fd, &status) != 0) return fail_operation(OperationKind::kStat, errno, side, path_for_message);
  return FileStamp{
      .size_bytes = static_cast<uint64_t>(status.st_size),
      .mtime_ns = nanoseconds_of(status.st_mtim.tv_sec, static_cast<uint32_t>(status.st_mtim.tv_nsec)),
      .ctime_ns = nanoseconds_of(status.st_ctim.tv_sec, static_cast<uint32_t>(status.st_ctim.tv_nsec)),
      .inode = status.st_ino,
      .device = status.st_dev,
      .mode = status.st_mode,
  };
}

}  // namespace piecework::io
