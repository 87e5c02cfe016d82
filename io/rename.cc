// See rename.h.
#include "io/rename.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "io/file.h"

namespace piecework::io {
namespace {

constexpr unsigned kRenameNoReplace = 1;  // RENAME_NOREPLACE, which old headers lack

Status sync_directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  PIECEWORK_ASSIGN(const File directory, open_named_directory(folder, ErrorSide::kDestination));
  if (::fsync(directory.fd()) == 0) return {};
  return fail_errno(errno, ErrorSide::kDestination, fmt::format("syncing directory '{}'", printable(folder)));
}

}  // namespace

int rename_without_replacing(int from_directory_fd, const char* from, int to_directory_fd, const char* to) {
  if (::syscall(SYS_renameat2, from_directory_fd, from, to_directory_fd, to, kRenameNoReplace) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (::linkat(from_directory_fd, from, to_directory_fd, to, 0) != 0) return errno;
  return ::unlinkat(from_directory_fd, from, 0) == 0 ? 0 : errno;
}

Result<bool> rename_without_replacing(const std::string& from, const std::string& to) {
  const int sys_errno = rename_without_replacing(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str());
  if (sys_errno == EEXIST) return false;
  if (sys_errno != 0) {
    return fail_errno(sys_errno, ErrorSide::kDestination,
                      fmt::format("renaming '{}' to '{}'", printable(from), printable(to)));
  }
  PIECEWORK_TRY(sync_directory_of(to));
  return true;
}

Status remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return fail_errno(errno, ErrorSide::kDestination, fmt::format("removing '{}'", printable(path)));
  }
  return sync_directory_of(path);
}

}  // namespace piecework::io
