// Descriptors that close themselves, and opening and reading source files safely.
//
// Lookups beneath a directory never follow a symlink and never leave it: openat2(2) with RESOLVE_BENEATH and
// RESOLVE_NO_SYMLINKS, or, where the kernel or a sandbox has no openat2, one component at a time with O_NOFOLLOW.
// Paths may be longer than PATH_MAX and hold any bytes but NUL.
//
// The cached variants serve warm files from worker threads without ever waiting for a disk; "would block" is a normal
// outcome, and the operation then belongs to a backend (io/backend.h). Every function that touches a file is told on
// which side it stands, so that errors of sources and of the destination never mix.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "io/file_stamp.h"
#include "io/operation.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::io {

// Owns a descriptor. Thread-compatible.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();  // closes; an error of close(2) is not reported here

 private:
  int fd_ = -1;
};

// A descriptor with the path that messages name. Thread-compatible; reads and writes at offsets may run concurrently.
class File {
 public:
  File() = default;
  File(UniqueFd fd, std::string path, ErrorSide side) : fd_(std::move(fd)), path_(std::move(path)), side_(side) {}

  int fd() const { return fd_.get(); }
  bool is_open() const { return fd_.is_open(); }
  const std::string& path() const { return path_; }
  ErrorSide side() const { return side_; }
  UniqueFd release() { return std::move(fd_); }

  Result<FileStamp> stamp() const;
  // Fills `target` from `offset_bytes`; returns the bytes read, fewer than asked for only at the end of the file.
  Result<size_t> read_full(MutableByteSpan target, uint64_t offset_bytes) const;
  Status write_full(ByteSpan source, uint64_t offset_bytes) const;

 private:
  UniqueFd fd_;
  std::string path_;
  ErrorSide side_ = ErrorSide::kInternal;
};

// ---- Opening ----

// Opens what the user named on the command line or in a configuration: symlinks in `path` are followed.
// Regular files, directories and whatever else is there; look at stamp() before reading. O_NONBLOCK is set.
Result<File> open_named(const std::string& path, ErrorSide side);
Result<File> open_named_directory(const std::string& path, ErrorSide side);

// Opens `path` beneath `directory` (kOpenForReading or kOpenDirectory as `flags`). `path` is relative, without "..",
// and is resolved without symlinks. The File's path is directory's path + "/" + `path`.
// Errors: kNotFound, kPermission, kChanged where a component is a symlink or leads out.
Result<File> open_beneath(const File& directory, std::string_view path, uint64_t flags = kOpenForReading);

// The bare call behind it: a new descriptor, or -errno. Used by the posix backend and for long paths.
int open_beneath_fd(int directory_fd, const char* path, const struct open_how& how);
// The same one component at a time, without openat2: the fallback, and the only way past PATH_MAX.
int open_beneath_by_components(int directory_fd, const char* path, const struct open_how& how);
// Whether this kernel and sandbox have openat2(2); probed once.
bool has_openat2();

// Opens only where every directory entry is in the kernel's cache; none: would block, use a backend.
// `path` is NUL-terminated, beneath `directory_fd`; `path_for_message` appears in errors only.
Result<std::optional<UniqueFd>> try_open_cached(int directory_fd, const char* path, ErrorSide side,
                                                std::string_view path_for_message);

// ---- Reading and writing at offsets ----

// Loops over short transfers and EINTR. Errors name path and the offset reached.
Result<size_t> pread_full(int fd, MutableByteSpan target, uint64_t offset_bytes, ErrorSide side,
                          std::string_view path_for_message);
Status pwrite_full(int fd, ByteSpan source, uint64_t offset_bytes, ErrorSide side, std::string_view path_for_message);

enum class ReadEnd : uint8_t { kFull, kEndOfFile, kWouldBlock };
struct CachedRead {
  size_t read_bytes = 0;  // valid at the start of the target, whatever `end` says
  ReadEnd end = ReadEnd::kFull;
};
// Reads what the page cache holds, without waiting for the disk (preadv2 with RWF_NOWAIT). On kWouldBlock the rest is a
// backend's work, from offset_bytes + read_bytes on.
Result<CachedRead> try_read_cached(int fd, MutableByteSpan target, uint64_t offset_bytes, ErrorSide side,
                                   std::string_view path_for_message);

// fstat(2) of an open descriptor.
Result<FileStamp> stamp_fd(int fd, ErrorSide side, std::string_view path_for_message);

}  // namespace piecework::io
