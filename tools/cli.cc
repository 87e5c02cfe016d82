// Shared flags of the commands.
#include "tools/cli.h"

#include <fmt/format.h>

#include "tools/exit_code.h"
#include "tools/sizes.h"

namespace piecework::tools {

CLI::App* add_command(CLI::App& app, const CommandText& text) {
  CLI::App* command = app.add_subcommand(text.name, text.summary);
  command->footer(fmt::format("\nExample:\n  {}\n\n{}", text.example, exit_code_help()));
  return command;
}

void add_threads_flag(CLI::App& command, unsigned& thread_count) {
  thread_count = usable_thread_count();
  command
      .add_option_function<unsigned>(
          "--threads",
          [&thread_count](const unsigned& wanted) { thread_count = wanted == 0 ? usable_thread_count() : wanted; },
          "Threads to compute with (0: all usable processors)")
      ->type_name("N")
      ->check(CLI::Range(0u, kThreadsMax));
}

void add_json_flag(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "Print one JSON object on standard output");
}

void add_size_flag(CLI::App& command, const std::string& flag, uint64_t& target_bytes, const std::string& description) {
  command
      .add_option_function<std::string>(
          flag,
          [&target_bytes, flag](const std::string& text) {
            const Result<uint64_t> parsed_bytes = parse_size(text);
            if (!parsed_bytes) throw CLI::ValidationError(flag, parsed_bytes.error().message);
            target_bytes = *parsed_bytes;
          },
          description)
      ->type_name("SIZE");
}

void add_memory_flag(CLI::App& command, uint64_t& memory_bytes) {
  add_size_flag(command, "--memory", memory_bytes,
                "Memory to stay within (default: 256MiB, and 24MiB for each thread over 4; less where a "
                "control group has less)");
}

}  // namespace piecework::tools
