#include "tools/event_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "tools/process.h"
#include "tools/timestamps.h"

namespace piecework::tools {
namespace {

constexpr mode_t kFileMode = 0644;

// A pipe whose reader is missing must not hold the job up before it begins: it is opened without waiting, and only what
// is written later may wait for the reader.
int open_to_append(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, kFileMode);
  if (fd < 0) return fd;
  const int flags = ::fcntl(fd, F_GETFL);
  ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
  return fd;
}

// 0, or an errno. A reader that does not read is waited for until somebody asks the job to stop.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && (errno != EINTR || stop_requested())) return errno;
    if (written > 0) text.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

}  // namespace

EventLog::EventLog(const std::string& target) : name_(target == "-" ? "standard output" : target) {
  if (target.empty()) return;
  fd_ = io::UniqueFd(target == "-" ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0) : open_to_append(target));
  if (!fd_.is_open()) end_with_warning(errno);
}

bool EventLog::is_open() const {
  const std::lock_guard lock(mutex_);
  return fd_.is_open();
}

void EventLog::write(std::string_view event, const Json& fields) {
  const std::lock_guard lock(mutex_);
  if (!fd_.is_open()) return;
  Json line = {{"time", rfc3339_utc(std::chrono::system_clock::now())}, {"event", event}};
  line.update(fields);
  const std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  if (const int sys_errno = write_all(fd_.get(), text); sys_errno != 0) end_with_warning(sys_errno);
}

void EventLog::end_with_warning(int sys_errno) {
  const Error error = errno_error(sys_errno, ErrorSide::kDestination, fmt::format("events to '{}'", name_));
  print_message(fmt::format("warning: {}; the job goes on without", error.message));
  fd_.reset();
}

}  // namespace piecework::tools
