// Signals, messages and resources of this process.
#include "tools/process.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "io/limits.h"
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

unsigned usable_thread_count() { return std::clamp(io::usable_cpu_count(), 1u, kThreadsMax); }

const std::atomic<bool>& stop_requested() { return stop_flag; }

void install_signal_handlers() {
  struct sigaction action = {};
  action.sa_handler = request_stop;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // the second signal kills
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

uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");  // proc(5): total and resident size in pages
  uint64_t total_pages = 0;
  uint64_t resident_pages = 0;
  return statm >> total_pages >> resident_pages ? resident_pages * io::page_size_bytes() : 0;
}

uint64_t resident_bytes_max() {
  std::ifstream status("/proc/self/status");  // not ru_maxrss, which begins with what the parent had at the exec
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::strtoull(line.c_str() + 6, nullptr, 10) * kKiB;
  return 0;
}

uint64_t busy_steps() {
  struct rusage used {};
  getrusage(RUSAGE_SELF, &used);
  const auto steps_of = [](const timeval& time) {
    return static_cast<uint64_t>(time.tv_sec) * 10 + static_cast<uint64_t>(time.tv_usec) / 100'000;
  };
  return steps_of(used.ru_utime) + steps_of(used.ru_stime);
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
