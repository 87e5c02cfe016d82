#include "io/scratch_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>

namespace piecework::io {

Result<File> make_scratch_file(const std::string& directory_path) {
  UniqueFd fd(open(directory_path.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd.is_open() && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    std::string name = directory_path + "/.piecework-scratch-XXXXXX";
    fd = UniqueFd(mkostemp(name.data(), O_CLOEXEC));
    if (fd.is_open()) unlink(name.c_str());
  }
  if (!fd.is_open()) {
    return fail_errno(errno, ErrorSide::kDestination,
                      fmt::format("making a temporary file in '{}'", printable(directory_path)));
  }
  return File(std::move(fd), directory_path + "/(temporary)", ErrorSide::kDestination);
}

Status check_scratch_directory(const std::string& directory_path) {
  Result<File> file = make_scratch_file(directory_path);
  if (file) return {};
  Error error = std::move(file).error();
  error.side = ErrorSide::kConfig;
  if (error.code != ErrorCode::kResourceExhausted) error.code = ErrorCode::kNoSpace;
  error.message += "; name a directory with --scratch that is there and can be written";
  return tl::unexpected<Error>(std::move(error));
}

UniqueFd reopen_direct(int fd) {
  const std::string path = fmt::format("/proc/self/fd/{}", fd);
  UniqueFd direct(open(path.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC));
  if (!direct.is_open()) return direct;
  struct flock lock = {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = kWritersLockByte;
  lock.l_len = 1;
  if (fcntl(direct.get(), F_OFD_SETLK, &lock) != 0) return UniqueFd();
  struct statx status = {};
  const bool known = statx(direct.get(), "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) == 0;
  // Where the kernel says what it wants, pages must do.
  if (known && (status.stx_mask & STATX_DIOALIGN) != 0 &&
      (status.stx_dio_offset_align == 0 || status.stx_dio_offset_align > 4096 || status.stx_dio_mem_align > 4096)) {
    direct.reset();
  }
  return direct;
}

}  // namespace piecework::io
