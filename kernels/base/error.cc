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

// Length of the well-formed UTF-8 sequence at the start of `text`, or 0.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto tail = [&](size_t i) { return (byte(i) & 0xC0u) == 0x80u; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool overlong = first == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = first == 0xED && byte(1) > 0x9F;
    return tail(1) && tail(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool overlong = first == 0xF0 && byte(1) < 0x90;
    const bool too_large = first == 0xF4 && byte(1) > 0x8F;
    return tail(1) && tail(2) && tail(3) && !overlong && !too_large ? 4 : 0;
  }
  return 0;
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

std::string printable(std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string safe;
  safe.reserve(text.size());
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    const size_t length = utf8_length(text);
    // C0, DEL and the two-byte C1 controls (U+0080..U+009F) could drive a terminal.
    const bool c1_control = length == 2 && first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
    if (length == 0 || first < 0x20 || first == 0x7F || c1_control) {
      safe += {'\\', 'x', kDigits[first >> 4], kDigits[first & 15]};
      text.remove_prefix(1);
      if (c1_control) {  // the second byte of the same character
        const auto second = static_cast<unsigned char>(text.front());
        safe += {'\\', 'x', kDigits[second >> 4], kDigits[second & 15]};
        text.remove_prefix(1);
      }
      continue;
    }
    safe.append(text.substr(0, length));
    text.remove_prefix(length);
  }
  return safe;
}

}  // namespace piecework
