// OutputDirectory of io/publish.h: making directories durably, looking into them, room on their file system.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "io/publish.h"

namespace piecework::io {
namespace {

constexpr mode_t kDirectoryMode = 0755;

tl::unexpected<Error> fail_destination(int sys_errno, std::string_view verb, std::string_view path) {
  return fail_errno(sys_errno, ErrorSide::kDestination, fmt::format("{} '{}'", verb, printable(path)));
}

Status sync_directory(int fd, std::string_view path) {
  if (::fsync(fd) == 0) return {};
  return fail_destination(errno, "syncing directory", path);
}

// The directory that holds the last component of `path`.
std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// What was opened, or none where nothing of that name exists.
Result<std::optional<File>> none_if_missing(Result<File> opened) {
  if (opened) return std::optional(std::move(*opened));
  if (opened.error().sys_errno == ENOENT) return std::nullopt;
  return tl::unexpected<Error>(std::move(opened).error());
}

Status make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), kDirectoryMode) != 0) {
    if (errno == EEXIST) return {};
    return fail_destination(errno, "making directory", path);
  }
  // The new name must survive a power cut before anything below it is called published.
  PIECEWORK_ASSIGN(const File parent, open_named_directory(parent_of(path), ErrorSide::kDestination));
  return sync_directory(parent.fd(), parent.path());
}

}  // namespace

Result<OutputDirectory> OutputDirectory::open_or_create(const std::string& path) {
  if (path.empty()) return fail_destination(ENOENT, "making directory", path);
  for (size_t end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1)) {
    if (path[end - 1] != '/') PIECEWORK_TRY(make_directory(path.substr(0, end)));
  }
  if (path.back() != '/') PIECEWORK_TRY(make_directory(path));
  PIECEWORK_ASSIGN(File directory, open_named_directory(path, ErrorSide::kDestination));
  return OutputDirectory(std::move(directory));
}

Result<std::optional<OutputDirectory>> OutputDirectory::try_open_directory(const std::string& path) {
  PIECEWORK_ASSIGN(std::optional<File> directory, none_if_missing(open_named_directory(path, ErrorSide::kDestination)));
  if (!directory) return std::nullopt;
  return OutputDirectory(std::move(*directory));
}

Result<OutputDirectory> OutputDirectory::subdirectory(std::string_view name) const {
  PIECEWORK_TRY(check_file_name(name));
  if (::mkdirat(fd(), std::string(name).c_str(), kDirectoryMode) == 0) {
    PIECEWORK_TRY(sync());
  } else if (errno != EEXIST) {
    return fail_destination(errno, "making directory", path_of(name));
  }
  PIECEWORK_ASSIGN(File child, open_beneath(directory_, name, kOpenDirectory));
  return OutputDirectory(std::move(child));
}

Result<std::optional<OutputDirectory>> OutputDirectory::try_subdirectory(std::string_view name) const {
  PIECEWORK_TRY(check_file_name(name));
  PIECEWORK_ASSIGN(std::optional<File> child, none_if_missing(open_beneath(directory_, name, kOpenDirectory)));
  if (!child) return std::nullopt;
  return OutputDirectory(std::move(*child));
}

std::string OutputDirectory::path_of(std::string_view name) const { return fmt::format("{}/{}", path(), name); }

Result<std::optional<File>> OutputDirectory::try_open(std::string_view name) const {
  PIECEWORK_TRY(check_file_name(name));
  return none_if_missing(open_beneath(directory_, name));
}

Result<std::optional<FileStamp>> OutputDirectory::try_stamp(std::string_view name) const {
  PIECEWORK_TRY(check_file_name(name));
  struct statx status = {};
  if (::statx(fd(), std::string(name).c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &status) == 0)
    return stamp_of(status);
  if (errno == ENOENT) return std::nullopt;
  return fail_destination(errno, "examining", path_of(name));
}

Status OutputDirectory::remove(std::string_view name) const {
  PIECEWORK_TRY(check_file_name(name));
  if (::unlinkat(fd(), std::string(name).c_str(), 0) == 0 || errno == ENOENT) return {};
  return fail_destination(errno, "removing", path_of(name));
}

Status OutputDirectory::sync() const { return sync_directory(fd(), path()); }

Result<uint64_t> OutputDirectory::available_bytes() const {
  struct statvfs status;
  if (::fstatvfs(fd(), &status) != 0) return fail_destination(errno, "asking for the free space of", path());
  uint64_t bytes = 0;
  return __builtin_mul_overflow(uint64_t{status.f_bavail}, uint64_t{status.f_frsize}, &bytes) ? UINT64_MAX : bytes;
}

Status check_file_name(std::string_view name) {
  const bool is_component = !name.empty() && name != "." && name != ".." && name.size() <= NAME_MAX &&
                            name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
  if (is_component) return {};
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kDestination,
              fmt::format("'{}' cannot name a file in the output directory", printable(name)));
}

}  // namespace piecework::io
