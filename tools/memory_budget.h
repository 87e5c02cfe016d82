// The memory that a job stays within: what was asked for, or a default that fits the limit of this process's control
// groups.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "io/limits.h"
#include "kernels/base/error.h"

namespace piecework::tools {

struct MemoryBudget {
  uint64_t bytes = 0;
  std::string notice;  // one line for people where the limit has changed something or contradicts --memory; else empty
};

// The default budget for `thread_count` threads: 256 MiB with up to 4 of them, 24 MiB for each further one, but no more
// than seven eighths of `limit_bytes` (an eighth is for what the kernel counts too: page tables, sockets, dirty pages).
uint64_t default_memory_bytes(unsigned thread_count, std::optional<uint64_t> limit_bytes);

// The budget where `wanted_bytes` was asked for (0: nothing was). What was asked for is kept, even above the limit; the
// notice then says so. Errors: kResourceExhausted (config) where the limit leaves less than a pack needs at least.
Result<MemoryBudget> memory_budget(uint64_t wanted_bytes, unsigned thread_count, const io::LimitSources& sources = {});

// The same for a command line: the notice is printed.
Result<uint64_t> memory_budget_bytes(uint64_t wanted_bytes, unsigned thread_count);

}  // namespace piecework::tools
