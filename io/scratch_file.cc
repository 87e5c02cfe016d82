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

}  // namespace piecework::io
