// fork, exec, poll, wait4; see run_command.h.
#include "tests/support/run_command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string_view>

namespace piecework::testing {
namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  int read_end = -1;
  int write_end = -1;
};

void require(bool condition, std::string_view what) {
  if (condition) return;
  std::cerr << "run_command: " << what << ": " << std::strerror(errno) << '\n';
  std::abort();
}

Pipe open_pipe() {
  std::array<int, 2> ends{};
  require(pipe2(ends.data(), O_CLOEXEC) == 0, "pipe2");
  return {ends[0], ends[1]};
}

void close_end(int& descriptor) {
  if (descriptor >= 0) close(descriptor);
  descriptor = -1;
}

// Everything the child needs is built before fork: between fork and exec only async-signal-safe calls are allowed.
struct Launch {
  std::vector<std::string> environment_text;
  std::vector<char*> environment;
  std::vector<char*> arguments;
};

Launch make_launch(const std::vector<std::string>& arguments, const CommandOptions& options) {
  Launch launch;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string name(text.substr(0, text.find('=')));
    if (!options.environment.contains(name)) launch.environment_text.emplace_back(text);
  }
  for (const auto& [name, value] : options.environment) {
    if (value) launch.environment_text.push_back(name + '=' + *value);
  }
  for (std::string& text : launch.environment_text) launch.environment.push_back(text.data());
  for (const std::string& argument : arguments) launch.arguments.push_back(const_cast<char*>(argument.c_str()));
  launch.environment.push_back(nullptr);
  launch.arguments.push_back(nullptr);
  return launch;
}

[[noreturn]] void run_child(const Launch& launch, const CommandOptions& options, int input, int output, int error) {
  setpgid(0, 0);
  signal(SIGPIPE, SIG_DFL);
  if (!options.working_directory.empty() && chdir(options.working_directory.c_str()) != 0) _exit(126);
  if (dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(error, STDERR_FILENO) < 0) _exit(126);
  execvpe(launch.arguments[0], launch.arguments.data(), launch.environment.data());
  _exit(127);
}

// Reads what is there; closes `descriptor` at end of file.
void drain(int& descriptor, std::string& target) {
  std::array<char, 65536> buffer;
  const ssize_t count = read(descriptor, buffer.data(), buffer.size());
  if (count > 0) target.append(buffer.data(), static_cast<size_t>(count));
  if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)) close_end(descriptor);
}

// Writes what fits; closes `descriptor` when all is written or the reader is gone.
void feed(int& descriptor, std::string_view& source) {
  const ssize_t count = write(descriptor, source.data(), source.size());
  if (count > 0) source.remove_prefix(static_cast<size_t>(count));
  if (source.empty() || (count < 0 && errno != EINTR && errno != EAGAIN)) close_end(descriptor);
}

// Moves bytes until both outputs are at their end or the time is over.
void exchange(int input, int output, int error, const CommandOptions& options, pid_t child, CommandResult& result) {
  const Clock::time_point deadline = Clock::now() + options.timeout;
  std::string_view pending_input = options.standard_input;
  if (pending_input.empty()) close_end(input);
  while (output >= 0 || error >= 0) {
    std::array<pollfd, 3> set{pollfd{output, POLLIN, 0}, pollfd{error, POLLIN, 0}, pollfd{input, POLLOUT, 0}};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    const int ready = left.count() <= 0 ? 0 : poll(set.data(), set.size(), static_cast<int>(left.count()));
    if (ready == 0 && !result.timed_out) {
      result.timed_out = true;
      kill(-child, SIGKILL);
      break;
    }
    if (set[0].revents != 0) drain(output, result.standard_output);
    if (set[1].revents != 0) drain(error, result.standard_error);
    if (set[2].revents != 0) feed(input, pending_input);
  }
  close_end(input);
  close_end(output);
  close_end(error);
}

void reap(pid_t child, CommandResult& result) {
  int status = 0;
  rusage usage{};
  while (wait4(child, &status, 0, &usage) < 0) require(errno == EINTR, "wait4");
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal_number = WTERMSIG(status);
  result.resident_max_bytes = int64_t{usage.ru_maxrss} * 1024;
}

}  // namespace

CommandResult run_command(const std::vector<std::string>& arguments, const CommandOptions& options) {
  const Launch launch = make_launch(arguments, options);
  Pipe input = open_pipe();
  Pipe output = open_pipe();
  Pipe error = open_pipe();
  // A program that ends before it has read all of its input must not end the test.
  signal(SIGPIPE, SIG_IGN);
  const pid_t child = fork();
  require(child >= 0, "fork");
  if (child == 0) run_child(launch, options, input.read_end, output.write_end, error.write_end);
  setpgid(child, child);  // in both, so that the group exists whoever runs first
  close_end(input.read_end);
  close_end(output.write_end);
  close_end(error.write_end);
  require(fcntl(input.write_end, F_SETFL, O_NONBLOCK) == 0, "fcntl");
  CommandResult result;
  exchange(input.write_end, output.read_end, error.read_end, options, child, result);
  reap(child, result);
  return result;
}

CommandResult run_piecework(const std::vector<std::string>& arguments, const CommandOptions& options) {
  std::vector<std::string> all{PIECEWORK_BINARY};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_command(all, options);
}

}  // namespace piecework::testing
