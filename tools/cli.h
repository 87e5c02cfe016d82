// What the commands share: how a command is declared over CLI11, and the flags that several have.
//
// CLI11 reports wrong usage by exceptions; main.cc catches them. Nothing else in the program throws across a file's
// border.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>

#include "kernels/base/error.h"
#include "tools/process.h"

namespace piecework::tools {

// What the parsed command line asks for. `run` returns the exit code of a job that came to an end (0, or the command's
// own verdict such as 65 of verify), or the error that stopped it.
struct Invocation {
  std::function<Result<int>()> run;
};

struct CommandText {
  std::string name;
  std::string summary;  // one line, without a full stop
  std::string example;  // one command line, without a prompt
};

// Adds a subcommand whose help ends with the example and the exit codes.
CLI::App* add_command(CLI::App& app, const CommandText& text);

// --threads N. `thread_count` is set to N, or to usable_thread_count() where the flag is missing or 0; at most 1024.
void add_threads_flag(CLI::App& command, unsigned& thread_count);
// --json.
void add_json_flag(CLI::App& command, bool& json);
// A flag whose value is a size such as 256MiB (tools/sizes.h). `target_bytes` keeps its value where the flag is
// missing.
void add_size_flag(CLI::App& command, const std::string& flag, uint64_t& target_bytes, const std::string& description);
// --memory SIZE. `memory_bytes` keeps its value (0: the default for the thread count) where the flag is missing.
void add_memory_flag(CLI::App& command, uint64_t& memory_bytes);

}  // namespace piecework::tools
