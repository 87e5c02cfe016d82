// posix_spawn, wait4 and /proc/pressure/io.
#include "tools/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "kernels/base/check.h"
#include "tools/exit_code.h"
#include "tools/machine.h"
#include "tools/measure.h"
#include "tools/process.h"

namespace piecework::tools {
namespace {

constexpr size_t kMessageBytesMax = 500;

double seconds_of_timeval(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

// Microseconds of "some" so far. Source: Documentation/accounting/psi.rst, "some avg10=0.00 ... total=N".
std::optional<uint64_t> io_stall_microseconds() {
  std::ifstream pressure("/proc/pressure/io");
  std::string line;
  if (!std::getline(pressure, line) || !line.starts_with("some")) return {};
  const size_t total = line.find("total=");
  if (total == std::string::npos) return {};
  return std::strtoull(line.c_str() + total + 6, nullptr, 10);
}

std::string read_whole(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// posix_spawn's list of what happens to descriptors in the child.
class SpawnActions {
 public:
  SpawnActions() { posix_spawn_file_actions_init(&actions_); }
  ~SpawnActions() { posix_spawn_file_actions_destroy(&actions_); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;

  void open_for_writing(int descriptor, const std::filesystem::path& path) {
    posix_spawn_file_actions_addopen(&actions_, descriptor, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  }
  void open_empty(int descriptor) { posix_spawn_file_actions_addopen(&actions_, descriptor, "/dev/null", O_RDONLY, 0); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

Result<pid_t> start(const std::vector<std::string>& arguments, const SpawnActions& actions) {
  std::string program = "piecework";
  std::vector<std::string> words = arguments;
  std::vector<char*> pointers{program.data()};
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, "/proc/self/exe", actions.get(), nullptr, pointers.data(), environ);
  if (error != 0) return fail_errno(error, ErrorSide::kDestination, "/proc/self/exe");
  return pid;
}

// The status of wait4.
int wait_for(pid_t pid, rusage& usage) {
  bool was_told = false;
  int status = 0;
  while (wait4(pid, &status, 0, &usage) < 0) {
    PIECEWORK_CHECK(errno == EINTR);
    if (stop_requested() && !was_told) kill(pid, SIGTERM);
    was_told = stop_requested();
  }
  return status;
}

tl::unexpected<Error> fail_child(const std::vector<std::string>& arguments, int status, const std::string& said) {
  const std::string what =
      WIFEXITED(status) ? fmt::format("exit code {}", WEXITSTATUS(status)) : fmt::format("signal {}", WTERMSIG(status));
  const std::string message = fmt::format("piecework {}: {}: {}", fmt::join(arguments, " "), what,
                                          said.substr(said.size() - std::min(said.size(), kMessageBytesMax)));
  switch (WIFEXITED(status) ? WEXITSTATUS(status) : static_cast<int>(kExitInternal)) {
    case kExitStopped:
      return fail(ErrorCode::kCancelled, ErrorSide::kInternal, message);
    case kExitCannotWrite:
      return fail(ErrorCode::kNoSpace, ErrorSide::kDestination, message);
    case kExitDestinationIo:
      return fail(ErrorCode::kIo, ErrorSide::kDestination, message);
    case kExitResources:
      return fail(ErrorCode::kResourceExhausted, ErrorSide::kDestination, message);
    default:
      return fail(ErrorCode::kConflict, ErrorSide::kInternal, message);
  }
}

}  // namespace

Result<FinishedChild> run_self(const std::vector<std::string>& arguments, const std::filesystem::path& scratch) {
  const std::filesystem::path output = scratch / "child.out";
  const std::filesystem::path messages = scratch / "child.err";
  SpawnActions actions;
  actions.open_empty(STDIN_FILENO);
  actions.open_for_writing(STDOUT_FILENO, output);
  actions.open_for_writing(STDERR_FILENO, messages);
  FinishedChild child;
  rusage usage{};
  int status = 0;
  const std::optional<uint64_t> stall_before = io_stall_microseconds();
  const double busy_before = busy_cpu_seconds();
  Result<pid_t> pid;
  child.usage.seconds = seconds_of([&] {
    pid = start(arguments, actions);
    if (pid) status = wait_for(*pid, usage);
  });
  const double busy_after = busy_cpu_seconds();
  PIECEWORK_TRY(pid);
  const std::optional<uint64_t> stall_after = io_stall_microseconds();
  if (status != 0) return fail_child(arguments, status, read_whole(messages));
  child.usage.cpu_seconds = seconds_of_timeval(usage.ru_utime) + seconds_of_timeval(usage.ru_stime);
  child.usage.foreign_cpu_seconds = std::max(0.0, busy_after - busy_before - child.usage.cpu_seconds);
  if (stall_before && stall_after)
    child.usage.io_wait_seconds = 1e-6 * static_cast<double>(*stall_after - *stall_before);
  child.standard_output = read_whole(output);
  return child;
}

}  // namespace piecework::tools
