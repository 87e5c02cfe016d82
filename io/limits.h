// What this process may use of the machine: CPUs, memory, descriptors. Containers and schedulers set these by affinity
// masks, control groups (v1 and v2) and resource limits; the machine's own totals would be wrong there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kernels/base/error.h"

namespace piecework::io {

// Where to look; the defaults are the running system's. Tests point them at a made-up tree.
struct LimitSources {
  std::string self_cgroup_path = "/proc/self/cgroup";
  std::string cgroup_root_path = "/sys/fs/cgroup";
};

// CPUs this process may run on: the affinity mask, further limited by a CPU quota (rounded up, at least 1).
uint32_t usable_cpu_count(const LimitSources& sources = {});

// The CPU quota alone, in CPUs rounded up; none where there is no quota.
std::optional<uint32_t> cgroup_cpu_count(const LimitSources& sources = {});

// The smallest memory limit of the process's control groups, the parents' included (memory.high is one too); none where
// there is none.
std::optional<uint64_t> cgroup_memory_limit_bytes(const LimitSources& sources = {});

// Raises the soft limit of open descriptors to the hard one and returns it. To be called once, at the start.
Result<uint64_t> raise_open_file_limit();

// How many descriptors the process may have open at once.
uint64_t open_file_limit();

size_t page_size_bytes();

}  // namespace piecework::io
