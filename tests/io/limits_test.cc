// Limits of containers and schedulers, read from made-up control group trees.
#include "io/limits.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <filesystem>
#include <string>

#include "tests/support/temp_dir.h"

namespace piecework::io {
namespace {

class LimitsTest : public ::testing::Test {
 protected:
  void add(const std::string& path, const std::string& text) {
    const std::filesystem::path full = temp_ / ("cgroup/" + path);
    std::filesystem::create_directories(full.parent_path());
    testing::write_file(full, text);
  }
  LimitSources sources(const std::string& self_cgroup) {
    testing::write_file(temp_ / "self", self_cgroup);
    return {temp_ / "self", temp_ / "cgroup"};
  }
  testing::TempDir temp_;
};

TEST_F(LimitsTest, Version2TakesTheSmallestOfAllAncestors) {
  add("a/b/cpu.max", "max 100000\n");
  add("a/cpu.max", "250000 100000\n");
  add("a/b/memory.max", "max\n");
  add("a/memory.max", "1073741824\n");
  add("memory.max", "2147483648\n");
  const LimitSources limits = sources("0::/a/b\n");
  EXPECT_EQ(cgroup_cpu_count(limits), 3u);  // 2.5, rounded up
  EXPECT_EQ(cgroup_memory_limit_bytes(limits), 1073741824u);
}

TEST_F(LimitsTest, Version1NamesControllers) {
  add("cpu,cpuacct/job/cpu.cfs_quota_us", "50000\n");
  add("cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  add("memory/job/memory.limit_in_bytes", "268435456\n");
  add("memory/memory.limit_in_bytes", "9223372036854771712\n");
  const LimitSources limits = sources("4:memory:/job\n1:cpu,cpuacct:/job\n5:cpuset:/\n");
  EXPECT_EQ(cgroup_cpu_count(limits), 1u);
  EXPECT_EQ(cgroup_memory_limit_bytes(limits), 268435456u);
  EXPECT_EQ(usable_cpu_count(limits), 1u);
}

TEST_F(LimitsTest, Version1WithoutLimits) {
  add("cpu/cpu.cfs_quota_us", "-1\n");
  add("cpu/cpu.cfs_period_us", "100000\n");
  add("memory/memory.limit_in_bytes", "9223372036854771712\n");
  const LimitSources limits = sources("1:cpu:/\n4:memory:/\n0::/\n");
  EXPECT_EQ(cgroup_cpu_count(limits), std::nullopt);
  EXPECT_EQ(cgroup_memory_limit_bytes(limits), std::nullopt);
}

TEST_F(LimitsTest, Version2SlowsDownAboveHigh) {
  add("job/memory.max", "1073741824\n");
  add("job/memory.high", "805306368\n");
  EXPECT_EQ(cgroup_memory_limit_bytes(sources("0::/job\n")), 805306368u);
}

// In a container without the host's hierarchy only memory.stat knows what an ancestor's limit is.
TEST_F(LimitsTest, Version1KnowsAncestorsThatAreNotMounted) {
  add("memory/memory.limit_in_bytes", "9223372036854771712\n");
  add("memory/memory.stat", "cache 4096\nrss 8192\nhierarchical_memory_limit 402653184\ntotal_cache 4096\n");
  EXPECT_EQ(cgroup_memory_limit_bytes(sources("4:memory:/docker/abc\n")), 402653184u);
  add("memory/memory.stat", "hierarchical_memory_limit 9223372036854771712\n");
  EXPECT_EQ(cgroup_memory_limit_bytes(sources("4:memory:/docker/abc\n")), std::nullopt);
}

// Inside a container the host's path does not exist under the mount; the mount itself is the container's group.
TEST_F(LimitsTest, APathThatIsNotThereFallsBackToTheMount) {
  add("memory.max", "536870912\n");
  add("cpu.max", "200000 100000\n");
  const LimitSources limits = sources("0::/kubepods/pod1/abc\n");
  EXPECT_EQ(cgroup_memory_limit_bytes(limits), 536870912u);
  EXPECT_EQ(cgroup_cpu_count(limits), 2u);
}

TEST_F(LimitsTest, NothingReadableIsNoLimit) {
  add("cpu.max", "garbage\n");
  add("memory.max", "-5\n");
  EXPECT_EQ(cgroup_cpu_count(sources("0::/\n")), std::nullopt);
  EXPECT_EQ(cgroup_memory_limit_bytes(sources("no colons\n:\n\n")), std::nullopt);
  EXPECT_EQ(cgroup_memory_limit_bytes({"/does/not/exist", "/does/not/exist"}), std::nullopt);
  add("cpu.max", "100000 0\n");
  EXPECT_EQ(cgroup_cpu_count(sources("0::/\n")), std::nullopt);
}

TEST_F(LimitsTest, TheAffinityMaskCounts) {
  cpu_set_t all;
  ASSERT_EQ(::sched_getaffinity(0, sizeof all, &all), 0);
  const LimitSources none = sources("");
  EXPECT_EQ(usable_cpu_count(none), static_cast<uint32_t>(CPU_COUNT(&all)));
  cpu_set_t one;
  CPU_ZERO(&one);
  for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &one);
  }
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(usable_cpu_count(none), 1u);
  ASSERT_EQ(::sched_setaffinity(0, sizeof all, &all), 0);
}

TEST(OpenFileLimitTest, IsRaisedToTheHardLimit) {
  struct rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const struct rlimit low = {std::min<rlim_t>(64, before.rlim_max), before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_EQ(*raise_open_file_limit(), before.rlim_max);
  struct rlimit after;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace
}  // namespace piecework::io
