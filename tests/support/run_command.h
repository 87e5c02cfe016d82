// Runs a program and waits for it: for black-box tests of the command line.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace piecework::testing {

struct CommandOptions {
  // Changes to the environment: a value sets a variable, nullopt removes it.
  std::map<std::string, std::optional<std::string>> environment;
  std::filesystem::path working_directory;  // empty: the caller's
  std::string standard_input;               // then end of file
  std::chrono::seconds timeout{60};         // after it the program is killed and `timed_out` is set
};

struct CommandResult {
  int exit_code = -1;     // -1 where a signal ended the program
  int signal_number = 0;  // the signal that ended it, or 0
  bool timed_out = false;
  std::string standard_output;
  std::string standard_error;
  int64_t resident_max_bytes = 0;  // peak resident memory of the program, from wait4
};

// Runs `arguments` (the first is the program, searched in PATH) to its end. The program runs in a process group of its
// own. Safe for concurrent use. Aborts where the program cannot be started at all; a missing program gives exit code
// 127.
CommandResult run_command(const std::vector<std::string>& arguments, const CommandOptions& options = {});

// The same for the piecework binary that was built with the tests; `arguments` without the program's name.
CommandResult run_piecework(const std::vector<std::string>& arguments, const CommandOptions& options = {});

}  // namespace piecework::testing
