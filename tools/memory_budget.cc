#include "tools/memory_budget.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/pack_limits.h"
#include "kernels/base/units.h"
#include "tools/process.h"
#include "tools/sizes.h"

namespace piecework::tools {
namespace {

constexpr unsigned kIncludedThreads = 4;

// Rounded up, so that a limit of what a message asks for is enough.
constexpr uint64_t kLimitBytesMin = div_ceil(engine::kPackMemoryBytesMin * 8, 7);

}  // namespace

uint64_t default_memory_bytes(unsigned thread_count, std::optional<uint64_t> limit_bytes) {
  const uint64_t further_threads = thread_count > kIncludedThreads ? thread_count - kIncludedThreads : 0;
  const uint64_t unlimited_bytes = 256 * kMiB + 24 * kMiB * further_threads;
  return limit_bytes ? std::min(unlimited_bytes, *limit_bytes - div_ceil(*limit_bytes, 8)) : unlimited_bytes;
}

Result<MemoryBudget> memory_budget(uint64_t wanted_bytes, unsigned thread_count, const io::LimitSources& sources) {
  const std::optional<uint64_t> limit_bytes = io::cgroup_memory_limit_bytes(sources);
  if (limit_bytes && *limit_bytes < kLimitBytesMin) {
    return fail(ErrorCode::kResourceExhausted, ErrorSide::kConfig,
                fmt::format("the memory limit of this control group is {} bytes, at least {} are needed: ask the "
                            "scheduler for more",
                            *limit_bytes, kLimitBytesMin));
  }
  MemoryBudget budget{wanted_bytes != 0 ? wanted_bytes : default_memory_bytes(thread_count, limit_bytes), {}};
  if (!limit_bytes) return budget;
  if (wanted_bytes > *limit_bytes) {
    budget.notice = fmt::format("warning: --memory is {}, but this control group is limited to {}",
                                format_bytes(wanted_bytes), format_bytes(*limit_bytes));
  } else if (wanted_bytes == 0 && budget.bytes < default_memory_bytes(thread_count, std::nullopt)) {
    budget.notice = fmt::format("memory: {}, as this control group is limited to {} (--memory sets it)",
                                format_bytes(budget.bytes), format_bytes(*limit_bytes));
  }
  return budget;
}

Result<uint64_t> memory_budget_bytes(uint64_t wanted_bytes, unsigned thread_count) {
  PIECEWORK_ASSIGN(const MemoryBudget budget, memory_budget(wanted_bytes, thread_count));
  if (!budget.notice.empty()) print_message(budget.notice);
  return budget.bytes;
}

}  // namespace piecework::tools
