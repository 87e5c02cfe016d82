// Resolving a path beneath a directory: by openat2(2), or one component at a time where that call is missing or the
// path is longer than PATH_MAX. Both refuse symlinks, "..", and absolute paths with the same errno. Declared in
// io/file.h.
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <string_view>

#include "io/file.h"

namespace piecework::io {
namespace {

int openat2_fd(int directory_fd, const char* path, const struct open_how& how) {
  const long fd = ::syscall(SYS_openat2, directory_fd, path, &how, sizeof how);
  return fd < 0 ? -errno : static_cast<int>(fd);
}

// One path component, NUL-terminated for system calls.
struct Component {
  char text[NAME_MAX + 1];
  bool set(std::string_view component) {
    if (component.size() > NAME_MAX) return false;
    std::memcpy(text, component.data(), component.size());
    text[component.size()] = '\0';
    return true;
  }
};

// Opens one component without following a symlink. O_DIRECTORY turns that into ENOTDIR; openat2 says ELOOP.
int open_component(int directory_fd, const Component& component, uint64_t flags, uint64_t mode) {
  const int fd =
      ::openat(directory_fd, component.text, static_cast<int>(flags | O_NOFOLLOW), static_cast<mode_t>(mode));
  if (fd >= 0) return fd;
  const int sys_errno = errno;
  struct stat status;
  if (sys_errno == ENOTDIR && ::fstatat(directory_fd, component.text, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISLNK(status.st_mode)) {
    return -ELOOP;
  }
  return -sys_errno;
}

std::string_view next_component(std::string_view& rest) {
  const size_t begin = rest.find_first_not_of('/');
  if (begin == std::string_view::npos) {
    rest = {};
    return {};
  }
  rest.remove_prefix(begin);
  const std::string_view component = rest.substr(0, rest.find('/'));
  rest.remove_prefix(component.size());
  return component;
}

}  // namespace

bool has_openat2() {
  static const bool works = [] {
    const struct open_how how = {O_PATH | O_DIRECTORY | O_CLOEXEC, 0, 0};
    const UniqueFd fd(openat2_fd(AT_FDCWD, "/", how));
    return fd.is_open();  // ENOSYS before 5.6; EPERM from old seccomp profiles of containers
  }();
  return works;
}

int open_beneath_fd(int directory_fd, const char* path, const struct open_how& how) {
  if (!has_openat2() && how.resolve == 0) {
    const int fd = ::openat(directory_fd, path, static_cast<int>(how.flags), static_cast<mode_t>(how.mode));
    return fd < 0 ? -errno : fd;
  }
  if (!has_openat2() || std::strlen(path) >= PATH_MAX) return open_beneath_by_components(directory_fd, path, how);
  return openat2_fd(directory_fd, path, how);
}

int open_beneath_by_components(int directory_fd, const char* path, const struct open_how& how) {
  std::string_view rest(path);
  if (rest.empty()) return -ENOENT;
  if (rest.front() == '/') return -EXDEV;
  UniqueFd parent;  // the directory reached so far; none at the start
  Component component;
  component.set(".");  // for paths of dots and slashes alone: the directory itself
  bool has_component = false;
  bool must_be_directory = false;  // ends in "/" or "/."
  while (!rest.empty()) {
    const std::string_view text = next_component(rest);
    if (text.empty() || text == ".") {
      must_be_directory = true;
      continue;
    }
    if (text == "..") return -EXDEV;
    if (has_component) {
      const int at = parent.is_open() ? parent.get() : directory_fd;
      const int fd = open_component(at, component, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
      if (fd < 0) return fd;
      parent = UniqueFd(fd);
    }
    if (!component.set(text)) return -ENAMETOOLONG;
    has_component = true;
    must_be_directory = false;
  }
  const uint64_t final_flags = how.flags | (must_be_directory ? O_DIRECTORY : 0);
  return open_component(parent.is_open() ? parent.get() : directory_fd, component, final_flags, how.mode);
}

}  // namespace piecework::io
