#include "io/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>

#include "io/file.h"
#include "kernels/base/check.h"
#include "kernels/base/text.h"

namespace piecework::io {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kErrorOutputBytesMax = 4096;
constexpr int kPollMs = 100;    // how often the stop flag is looked at
constexpr int kReapPollMs = 2;  // a program that has closed its outputs ends soon

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Pipe> open_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, ErrorSide::kConfig, "opening a pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// File actions and attributes of posix_spawn, freed with their owner.
class SpawnPlan {
 public:
  SpawnPlan(int input, int output, int error) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    // dup2 clears close-on-exec, so of all descriptors just these three are open in the child.
    posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, error, STDERR_FILENO);
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes_, &defaults);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  int spawn(pid_t& child, const std::vector<std::string>& arguments) const {
    std::vector<char*> pointers;
    for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
    pointers.push_back(nullptr);
    return ::posix_spawnp(&child, pointers[0], &actions_, &attributes_, pointers.data(), environ);
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

// Appends what is there, up to `bytes_max` in all; what is over is read and dropped. False at the end.
bool drain(const UniqueFd& source, std::string& target, size_t bytes_max, bool& is_over) {
  std::array<char, 65536> buffer;
  const ssize_t count = ::read(source.get(), buffer.data(), buffer.size());
  if (count < 0) return errno == EINTR || errno == EAGAIN;
  const size_t taken = std::min(static_cast<size_t>(count), bytes_max - target.size());
  target.append(buffer.data(), taken);
  is_over = is_over || taken < static_cast<size_t>(count);
  return count > 0;
}

// Writes what fits. False when all is written or nobody reads.
bool feed(const UniqueFd& target, ByteSpan& pending) {
  const ssize_t count = ::write(target.get(), pending.data(), pending.size());
  if (count < 0) return errno == EINTR || errno == EAGAIN;
  pending = pending.subspan(static_cast<size_t>(count));
  return !pending.empty();
}

// Why the program is to be ended now, or an empty text.
std::string why_stop(const ChildCommand& command, Clock::time_point deadline) {
  if (Clock::now() >= deadline) return fmt::format("it ran for more than {} ms", command.timeout_ms);
  if (command.stop != nullptr && command.stop->load(std::memory_order_relaxed)) return "it was stopped";
  return "";
}

// Moves bytes until both outputs are at their end. What stopped it earlier, or an empty text.
std::string exchange(UniqueFd input, UniqueFd output, UniqueFd error, const ChildCommand& command,
                     Clock::time_point deadline, ChildOutcome& outcome) {
  ByteSpan pending = command.input;
  if (pending.empty()) input.reset();
  bool is_over = false;
  bool is_error_over = false;
  while (output.is_open() || error.is_open()) {
    if (std::string why = why_stop(command, deadline); !why.empty()) return why;
    std::array<pollfd, 3> set{pollfd{output.get(), POLLIN, 0}, pollfd{error.get(), POLLIN, 0},
                              pollfd{input.get(), POLLOUT, 0}};
    ::poll(set.data(), set.size(), kPollMs);
    if (set[0].revents != 0 && !drain(output, outcome.output, command.output_bytes_max, is_over)) output.reset();
    if (set[1].revents != 0 && !drain(error, outcome.error_output, kErrorOutputBytesMax, is_error_over)) error.reset();
    if (set[2].revents != 0 && !feed(input, pending)) input.reset();
    if (is_over) return fmt::format("it wrote more than {} bytes", command.output_bytes_max);
  }
  return "";
}

// Waits for the end of `child`, killing its group once it must. Its status as waitpid(2) gives it.
int wait_for(pid_t child, const ChildCommand& command, Clock::time_point deadline, std::string& failure) {
  // Before it is reaped: what it started and left behind is in its group, whose number is still its own.
  if (!failure.empty()) ::kill(-child, SIGKILL);
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) return status;
    // Whoever started this process with SIGCHLD ignored has the kernel throw exit codes away.
    if (ended < 0 && errno != EINTR) {
      if (failure.empty()) failure = "nobody knows how it ended: SIGCHLD is ignored here";
      return 0;
    }
    if (failure.empty()) failure = why_stop(command, deadline);
    if (!failure.empty()) ::kill(-child, SIGKILL);
    ::poll(nullptr, 0, kReapPollMs);
  }
}

}  // namespace

Result<ChildOutcome> run_child(const ChildCommand& command) {
  PIECEWORK_CHECK(!command.arguments.empty());
  PIECEWORK_ASSIGN(Pipe input, open_pipe());
  PIECEWORK_ASSIGN(Pipe output, open_pipe());
  PIECEWORK_ASSIGN(Pipe error, open_pipe());
  ::fcntl(input.write_end.get(), F_SETFL, O_NONBLOCK);
  pid_t child = 0;
  const SpawnPlan plan(input.read_end.get(), output.write_end.get(), error.write_end.get());
  const int status = plan.spawn(child, command.arguments);
  if (status != 0) {
    return fail_errno(status, ErrorSide::kConfig, fmt::format("starting '{}'", printable(command.arguments[0])));
  }
  input.read_end.reset();
  output.write_end.reset();
  error.write_end.reset();
  const Clock::time_point deadline = Clock::now() + std::chrono::milliseconds(command.timeout_ms);
  ChildOutcome outcome;
  outcome.failure = exchange(std::move(input.write_end), std::move(output.read_end), std::move(error.read_end), command,
                             deadline, outcome);
  const int ended = wait_for(child, command, deadline, outcome.failure);
  if (!outcome.failure.empty()) return outcome;
  if (WIFEXITED(ended)) outcome.exit_code = WEXITSTATUS(ended);
  if (WIFSIGNALED(ended)) outcome.failure = fmt::format("it ended by signal {}", WTERMSIG(ended));
  return outcome;
}

}  // namespace piecework::io
