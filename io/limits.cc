// Control groups: cgroup-v2.rst ("cpu.max", "memory.max", "memory.high") and cgroup-v1 (cpu.cfs_quota_us,
// memory.limit_in_bytes, and "hierarchical_memory_limit" of memory.stat, which knows ancestors that are not mounted
// here).
//
// A process's group is named in /proc/self/cgroup, one line "hierarchy:controllers:path" each; v2's line begins with
// "0::". A limit holds for all groups below, so every ancestor up to the mount is read. Inside a container the path may
// not exist under the mount (it is the host's name for what is mounted as the root): then the root's own files count.
#include "io/limits.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <functional>
#include <vector>

#include "kernels/base/units.h"

namespace piecework::io {
namespace {

constexpr uint64_t kNoMemoryLimit = uint64_t{1} << 62;  // v1 writes "none" as a number near 2^63

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

// The words of a file's first line; empty where it cannot be read.
std::vector<std::string> read_words(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> words;
  for (std::string word; words.size() < 2 && file >> word;) words.push_back(std::move(word));
  return words;
}

// The word behind `key` in a file of "key value" lines; empty where there is none.
std::string read_value(const std::string& path, std::string_view key) {
  std::ifstream file(path);
  std::string word;
  std::string value;
  while (file >> word >> value) {
    if (word == key) return value;
  }
  return {};
}

struct Group {
  bool is_v2 = false;
  std::string controllers;  // of v1, "cpu,cpuacct"
  std::string path;         // "/system.slice/job"
};

std::vector<Group> read_groups(const std::string& self_cgroup_path) {
  std::vector<Group> groups;
  std::ifstream file(self_cgroup_path);
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    Group group;
    group.controllers = line.substr(first + 1, second - first - 1);
    group.is_v2 = line.substr(0, first) == "0" && group.controllers.empty();
    group.path = line.substr(second + 1);
    groups.push_back(std::move(group));
  }
  return groups;
}

bool names_controller(const std::string& controllers, const std::string& controller) {
  return ("," + controllers + ",").find("," + controller + ",") != std::string::npos;
}

// Calls `visit` with the directory of `path` beneath `mount` and of each of its ancestors, the mount last.
void visit_ancestors(const std::string& mount, std::string path, const std::function<void(const std::string&)>& visit) {
  while (!path.empty() && path != "/") {
    visit(mount + path);
    const size_t slash = path.rfind('/');
    path.resize(slash == std::string::npos ? 0 : slash);
  }
  visit(mount);
}

// Calls `visit(directory, is_v2)` for every group directory in which `controller` may limit this process.
void visit_limits(const LimitSources& sources, const std::string& controller,
                  const std::function<void(const std::string&, bool)>& visit) {
  for (const Group& group : read_groups(sources.self_cgroup_path)) {
    if (group.is_v2) {
      const auto visit_v2 = [&](const std::string& directory) { visit(directory, true); };
      visit_ancestors(sources.cgroup_root_path, group.path, visit_v2);
      visit_ancestors(sources.cgroup_root_path + "/unified", group.path, visit_v2);
    } else if (names_controller(group.controllers, controller)) {
      // Mounted under its full list of controllers, with links for the single ones; either name may be missing.
      const auto visit_v1 = [&](const std::string& directory) { visit(directory, false); };
      visit_ancestors(sources.cgroup_root_path + "/" + group.controllers, group.path, visit_v1);
      if (group.controllers != controller) {
        visit_ancestors(sources.cgroup_root_path + "/" + controller, group.path, visit_v1);
      }
    }
  }
}

template <class T>
void keep_smallest(std::optional<T>& smallest, T value) {
  smallest = smallest ? std::min(*smallest, value) : value;
}

// CPUs of one group's quota, rounded up; none where it has none.
std::optional<uint32_t> quota_of(const std::string& directory, bool is_v2) {
  std::vector<std::string> words;
  if (is_v2) {
    words = read_words(directory + "/cpu.max");  // "max 100000" or "150000 100000"
  } else {
    for (const char* name : {"/cpu.cfs_quota_us", "/cpu.cfs_period_us"}) {  // -1 means none
      for (std::string& word : read_words(directory + name)) words.push_back(std::move(word));
    }
  }
  if (words.size() != 2) return std::nullopt;
  const std::optional<uint64_t> quota_us = parse_number(words[0]);
  const std::optional<uint64_t> period_us = parse_number(words[1]);
  if (!quota_us || !period_us || *period_us == 0) return std::nullopt;
  return static_cast<uint32_t>(std::clamp<uint64_t>(div_ceil(*quota_us, *period_us), 1, UINT32_MAX));
}

uint32_t affinity_cpu_count() {
  // The kernel may know more CPUs than a cpu_set_t holds (1,024): try larger sets until it fits.
  for (size_t cpu_max = 1024; cpu_max <= (size_t{1} << 20); cpu_max *= 2) {
    cpu_set_t* set = CPU_ALLOC(cpu_max);
    if (set == nullptr) break;
    const size_t set_bytes = CPU_ALLOC_SIZE(cpu_max);
    const bool fits = ::sched_getaffinity(0, set_bytes, set) == 0;
    const int count = fits ? CPU_COUNT_S(set_bytes, set) : 0;
    CPU_FREE(set);
    if (fits) return static_cast<uint32_t>(std::max(count, 1));
    if (errno != EINVAL) break;
  }
  const long online = ::sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? static_cast<uint32_t>(online) : 1;
}

}  // namespace

std::optional<uint32_t> cgroup_cpu_count(const LimitSources& sources) {
  std::optional<uint32_t> smallest;
  visit_limits(sources, "cpu", [&](const std::string& directory, bool is_v2) {
    if (const std::optional<uint32_t> quota = quota_of(directory, is_v2)) keep_smallest(smallest, *quota);
  });
  return smallest;
}

uint32_t usable_cpu_count(const LimitSources& sources) {
  return std::min(affinity_cpu_count(), cgroup_cpu_count(sources).value_or(UINT32_MAX));
}

std::optional<uint64_t> cgroup_memory_limit_bytes(const LimitSources& sources) {
  std::optional<uint64_t> smallest;
  const auto keep = [&](std::string_view text) {
    const std::optional<uint64_t> limit = parse_number(text);  // not a number: "max"
    if (limit && *limit < kNoMemoryLimit) keep_smallest(smallest, *limit);
  };
  visit_limits(sources, "memory", [&](const std::string& directory, bool is_v2) {
    // Above memory.high a group is slowed down until it stands still: as good as a limit.
    const std::vector<const char*> names =
        is_v2 ? std::vector{"/memory.max", "/memory.high"} : std::vector{"/memory.limit_in_bytes"};
    for (const char* name : names) {
      const std::vector<std::string> words = read_words(directory + name);
      if (!words.empty()) keep(words[0]);
    }
    if (!is_v2) keep(read_value(directory + "/memory.stat", "hierarchical_memory_limit"));
  });
  return smallest;
}

Result<uint64_t> raise_open_file_limit() {
  struct rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return fail_errno(errno, ErrorSide::kInternal, "reading the limit of open files");
  }
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
      return fail_errno(errno, ErrorSide::kInternal, "raising the limit of open files");
    }
  }
  return limit.rlim_cur;
}

uint64_t open_file_limit() {
  struct rlimit limit = {};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

size_t page_size_bytes() {
  static const long bytes = ::sysconf(_SC_PAGESIZE);
  return bytes > 0 ? static_cast<size_t>(bytes) : 4096;
}

}  // namespace piecework::io
