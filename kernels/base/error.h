// Errors of environment and input: Result<T> everywhere, no exception crosses a module's border.
//
// `ErrorCode` says what happened, `ErrorSide` whose fault it is; together they decide the exit code
// (tools/exit_code.h). Source errors and destination errors never mix: whoever touches a file knows on which side it
// stands and says so.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "kernels/base/text.h"

namespace piecework {

enum class ErrorCode : uint8_t {
  kIo,                 // the kernel or the medium failed (EIO and the like)
  kNotFound,           // a name does not exist (any more)
  kChanged,            // a source is not what the plan saw
  kCorrupt,            // bytes contradict a digest, a format or a limit
  kInvalidArgument,    // the caller asked for something that cannot be
  kUnsupported,        // valid, but not done here
  kResourceExhausted,  // memory, descriptors
  kNoSpace,            // the destination is full or cannot be written
  kConflict,           // two things that should be equal are not
  kCancelled,          // stopped on request
  kWaiting,            // other work has to be done first
  kPermission,         // access denied
  kUnavailable,        // a remote party does not answer
};

enum class ErrorSide : uint8_t { kSource, kDestination, kConfig, kInternal };

struct Error {
  ErrorCode code = ErrorCode::kIo;
  ErrorSide side = ErrorSide::kInternal;
  int sys_errno = 0;    // 0 where the kernel had no part in it
  std::string message;  // path, offset, what was expected, what was found, what to do
  std::string path;     // the source path as bytes, where the error belongs to one (for skips and JSON)
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

// tl::unexpected from parts. `message` should name path and offset already.
inline tl::unexpected<Error> fail(ErrorCode code, ErrorSide side, std::string message) {
  return tl::unexpected<Error>(Error{code, side, 0, std::move(message), {}});
}

// An error from errno: the code is chosen by the errno table (error.cc), the text of errno is appended to `message`.
// EACCES and EPERM are kPermission, ENOENT kNotFound, ENOMEM/EMFILE/ENFILE kResourceExhausted;
// ENOSPC, EDQUOT, EFBIG, EROFS are kNoSpace; what is left is kIo.
Error errno_error(int sys_errno, ErrorSide side, std::string_view message);
inline tl::unexpected<Error> fail_errno(int sys_errno, ErrorSide side, std::string_view message) {
  return tl::unexpected<Error>(errno_error(sys_errno, side, message));
}

}  // namespace piecework

#define PIECEWORK_CONCAT_INNER(a, b) a##b
#define PIECEWORK_CONCAT(a, b) PIECEWORK_CONCAT_INNER(a, b)

#define PIECEWORK_TRY_INNER(result, expression)                                                                      \
  do {                                                                                                               \
    if (auto result = (expression); !result) return ::tl::unexpected<::piecework::Error>(std::move(result).error()); \
  } while (false)
// Returns the error of `expression` from the enclosing function, or goes on.
#define PIECEWORK_TRY(expression) PIECEWORK_TRY_INNER(PIECEWORK_CONCAT(piecework_status_, __LINE__), expression)

#define PIECEWORK_ASSIGN_INNER(result, target, expression)                             \
  auto result = (expression);                                                          \
  if (!result) return ::tl::unexpected<::piecework::Error>(std::move(result).error()); \
  target = std::move(*result)
// Declares `target` from a Result, or returns its error: PIECEWORK_ASSIGN(const File file, File::open(...));
#define PIECEWORK_ASSIGN(target, expression) \
  PIECEWORK_ASSIGN_INNER(PIECEWORK_CONCAT(piecework_result_, __LINE__), target, expression)
