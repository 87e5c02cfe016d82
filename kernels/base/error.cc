#include "kernels/base/error.h"

#include <cerrno>
#include <cstring>
#include <system_error>

namespace piecework {
namespace {

ErrorCode code_of_errno(int sys_errno) {
  switch (sys_errno) {
    case ENOENT:
    case ENOTDIR:
    case ESTALE:
      return ErrorCode::kNotFound;
    case EACCES:
    case EPERM:
      return ErrorCode::kPermission;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EAGAIN:
      return ErrorCode::kResourceExhausted;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EROFS:
      return ErrorCode::kNoSpace;
    case EINVAL:
    case ENAMETOOLONG:
      return ErrorCode::kInvalidArgument;
    case ECANCELED:
      return ErrorCode::kCancelled;
    case ELOOP:
    case EXDEV:
      return ErrorCode::kChanged;  // a path that had no symlink when it was walked
    default:
      return ErrorCode::kIo;
  }
}

}  // namespace

Error errno_error(int sys_errno, ErrorSide side, std::string_view message) {
  Error error;
  error.code = code_of_errno(sys_errno);
  error.side = side;
  error.sys_errno = sys_errno;
  error.message = std::string(message) + ": " + std::generic_category().message(sys_errno);
  return error;
}

}  // namespace piecework
