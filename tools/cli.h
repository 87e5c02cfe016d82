// What the commands share: how a command is declared over CLI11, the flags that several have, and the stop signal.
//
// CLI11 reports wrong usage by exceptions; main.cc catches them. Nothing else in the program throws across a file's border.
#pragma once

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/error.h"
#include "kernels/variant.h"

namespace piecework::tools {

// What the parsed command line asks for. `run` returns the exit code of a job that came to an end (0, or the command's own
// verdict such as 65 of verify), or the error that stopped it.
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
// A flag whose value is a size such as 256MiB (tools/sizes.h). `target_bytes` keeps its value where the flag is missing.
void add_size_flag(CLI::App& command, const std::string& flag, uint64_t& target_bytes, const std::string& description);
// --memory SIZE. `memory_bytes` keeps its value (0: the default for the thread count) where the flag is missing.
void add_memory_flag(CLI::App& command, uint64_t& memory_bytes);

// Processors that this process may run on (its affinity mask), at least 1.
unsigned usable_thread_count();

// True once SIGINT or SIGTERM arrived: finish what can be resumed later, then return kCancelled. Safe for concurrent use.
const std::atomic<bool>& stop_requested();

// Sets the flag above on the first SIGINT or SIGTERM; a second one kills. Blocking reads return EINTR, as the caller must
// look at the flag. SIGPIPE is ignored: a closed pipe is an error of the write.
void install_signal_handlers();

// Prints one line "piecework: <message>" to stderr, with control bytes escaped.
void print_message(std::string_view message);

// Memory that a job stays within where --memory is not given: 256 MiB with up to 4 threads, 24 MiB for each further one.
uint64_t default_memory_bytes(unsigned thread_count);

// Every kernel's variants, in order of preference.
std::vector<kernels::VariantInfo> all_variants();

// Those that this processor can run: "sha256_nodes=avx512, sha256_nodes=shani, ...".
std::string available_variants();

// "0.1.0".
std::string_view version();

}  // namespace piecework::tools
