#include "tools/replace_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "io/file.h"
#include "kernels/base/bytes.h"

namespace piecework::tools {
namespace {

constexpr mode_t kFileMode = 0644;

tl::unexpected<Error> fail_here(int sys_errno, std::string_view verb, const std::string& path) {
  return fail_errno(sys_errno, ErrorSide::kDestination, fmt::format("{} '{}'", verb, printable(path)));
}

Status write_and_rename(const std::string& temporary, const std::string& path, std::string_view text) {
  const io::UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, kFileMode));
  if (!fd.is_open()) return fail_here(errno, "opening", temporary);
  PIECEWORK_TRY(io::pwrite_full(fd.get(), as_bytes(text), 0, ErrorSide::kDestination, temporary));
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return fail_here(errno, "renaming to", path);
  return {};
}

}  // namespace

Status replace_file(const std::string& path, std::string_view text) {
  struct stat existing;
  if (::lstat(path.c_str(), &existing) == 0 && !S_ISREG(existing.st_mode)) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kDestination,
                fmt::format("'{}' exists and is no regular file", printable(path)));
  }
  const std::string temporary = fmt::format("{}.{}.tmp", path, ::getpid());
  Status status = write_and_rename(temporary, path, text);
  if (!status) ::unlink(temporary.c_str());
  return status;
}

}  // namespace piecework::tools
