// Signals, messages and resources of this process.
#include "tools/process.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "kernels/base/check.h"
#include "kernels/base/error.h"
#include "kernels/base/units.h"

namespace piecework::tools {
namespace {

constexpr size_t kVariantsMax = 64;

std::atomic<bool> stop_flag{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

void request_stop(int /*signal*/) { stop_flag.store(true, std::memory_order_relaxed); }

}  // namespace

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
  std::signal(SIGXFSZ, SIG_IGN);  // a write past the file size limit is an error of the write (EFBIG)
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
