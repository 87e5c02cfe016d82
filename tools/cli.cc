// Shared flags, signals and messages of the commands.
#include "tools/cli.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <utility>

#include "kernels/base/units.h"
#include "tools/exit_code.h"
#include "tools/sizes.h"

namespace piecework::tools {
namespace {

constexpr unsigned kThreadsMax = 1024;
constexpr size_t kVariantsMax = 64;

std::atomic<bool> stop_flag{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

void request_stop(int /*signal*/) { stop_flag.store(true, std::memory_order_relaxed); }

}  // namespace

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
  add_size_flag(command, "--memory", memory_bytes, "Memory to stay within (default: 256MiB, and 24MiB for each thread over 4)");
}

unsigned usable_thread_count() {
  cpu_set_t usable;
  CPU_ZERO(&usable);
  if (sched_getaffinity(0, sizeof usable, &usable) != 0) return 1;
  return std::clamp(static_cast<unsigned>(CPU_COUNT(&usable)), 1u, kThreadsMax);
}

const std::atomic<bool>& stop_requested() { return stop_flag; }

void install_signal_handlers() {
  struct sigaction action = {};
  action.sa_handler = request_stop;
  action.sa_flags = SA_RESETHAND;  // the second signal kills
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

void print_message(std::string_view message) {
  const std::string line = "piecework: " + printable(message) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

uint64_t default_memory_bytes(unsigned thread_count) {
  constexpr unsigned kIncludedThreads = 4;
  const uint64_t further_threads = thread_count > kIncludedThreads ? thread_count - kIncludedThreads : 0;
  return 256 * kMiB + 24 * kMiB * further_threads;
}

std::vector<kernels::VariantInfo> all_variants() {
  std::vector<kernels::VariantInfo> variants(kVariantsMax);
  const size_t variant_count = kernels::list_variants(variants);
  PIECEWORK_CHECK(variant_count <= variants.size());
  variants.resize(variant_count);
  return variants;
}

std::string available_variants() {
  std::string names;
  for (const kernels::VariantInfo& variant : all_variants()) {
    if (!variant.supported) continue;
    if (!names.empty()) names += ", ";
    names += fmt::format("{}={}", variant.kernel, variant.name);
  }
  return names;
}

std::string_view version() { return PIECEWORK_VERSION; }

}  // namespace piecework::tools
