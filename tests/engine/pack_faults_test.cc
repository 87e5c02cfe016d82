// Whole packs over a backend that lets one operation fail, each in turn: the error is of the side whose operation it
// was, nothing wrong is published, and the same pack without the fault comes to the same files. Then faults, stalls and
// completions out of order by seed.
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>

#include "engine/pack_batch.h"
#include "engine/pack_limits.h"
#include "engine/plan/make_plan.h"
#include "engine/plan/source_set.h"
#include "tests/io/system_call_filter.h"
#include "tests/support/fault_backend.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_input.h"

namespace piecework::engine {
namespace {

using io::OperationKind;
using piecework::testing::FaultAt;
using piecework::testing::FaultBackend;
using piecework::testing::FaultPlan;

// Names and contents of all regular files, temporaries left out.
using Files = std::map<std::string, std::string>;

class PackFaultsTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }  // a fork would lose oneTBB's threads

  // In a child process, whose system calls can be filtered for good.
  void begin() {
    // Where files are read and opened without waiting, the backend never sees it.
    testing::fail_system_call(SYS_preadv2, EOPNOTSUPP);
    testing::fail_system_call(SYS_openat2, ENOSYS);
    // Hundreds of packs with dozens of syncs.
    if (std::filesystem::exists("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 1);
    temp_dir_.emplace();
    temp_ = temp_dir_->path();
    std::filesystem::create_directories(temp_ / "source/d");
    for (uint64_t i = 0; i < 6; ++i) {
      testing::write_deterministic_file(temp_ / "source/d" / std::to_string(i), "pack-faults", 9'000 + 8'000 * i);
    }
    sources_.emplace(*SourceSet::open({{.path = (temp_ / "source").string()}}, false));
    PlanRequest request;
    request.options.payload_bytes_max = 128 * kKiB / 128 * 127;
    request.options.profile.chunk_bytes = 8 * kKiB;
    request.scratch_path = temp_.string();
    const Result<PlanSummary> plan = make_plan(*sources_, request, (temp_ / "plan").string());
    ASSERT_TRUE(plan) << plan.error().message;
    ASSERT_EQ(plan->batches.size(), 2u);
  }

  // A backend of its own for each pack: the fault backend counts from its first operation.
  static std::unique_ptr<FaultBackend> make_backend(const FaultPlan& plan) {
    return std::make_unique<FaultBackend>(
        std::move(*io::make_backend({.kind = io::BackendKind::kPosix, .thread_count = 4})), plan);
  }

  Status pack(io::Backend& backend) const {
    PIECEWORK_ASSIGN(const std::unique_ptr<PlanReader> plan, PlanReader::open((temp_ / "plan").string()));
    PIECEWORK_ASSIGN(const io::OutputDirectory output,
                     io::OutputDirectory::open_or_create((temp_ / "out").string()));
    PackSettings settings;
    PIECEWORK_ASSIGN(settings.limits, pipeline_limits(2, kPackMemoryBytesMin));
    settings.limits.events_per_run_max = 8;
    settings.checkpoints = {.interval = std::chrono::milliseconds(0), .mark_bytes = 16 * kKiB};
    for (uint32_t batch = 0; batch < plan->summary().batches.size(); ++batch) {
      PIECEWORK_TRY(pack_batch(*plan, batch, *sources_, output, backend, settings));
    }
    return {};
  }

  Files files() const {
    Files found;
    if (!std::filesystem::exists(temp_ / "out")) return found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(temp_ / "out")) {
      const std::string name = std::filesystem::relative(entry.path(), temp_ / "out").string();
      const bool is_temporary = name.find(".piecework-") != std::string::npos;
      if (entry.is_regular_file() && !is_temporary) found[name] = testing::read_file(entry.path());
    }
    return found;
  }

  // Packs with faults, and then without.
  void check(const FaultPlan& plan, const std::set<ErrorCode>& codes, ErrorSide side) {
    std::filesystem::remove_all(temp_ / "out");
    const auto faulty = make_backend(plan);
    const Status packed = pack(*faulty);
    if (packed) {
      EXPECT_EQ(files(), expected_);
    } else {
      EXPECT_TRUE(codes.contains(packed.error().code)) << packed.error().message;
      EXPECT_EQ(packed.error().side, side) << packed.error().message;
    }
    failed_count_ += packed ? 0u : 1u;
    met_count_ += faulty->injected_count();
    for (const auto& [name, content] : files()) {
      const auto expected = expected_.find(name);
      ASSERT_TRUE(expected != expected_.end() && expected->second == content) << name << " is published, and wrong";
    }
    const Status finished = pack(*make_backend({}));
    ASSERT_TRUE(finished) << finished.error().message;
    ASSERT_EQ(files(), expected_);
  }

  void check_each(OperationKind kind, FaultAt fault, const std::set<ErrorCode>& codes, ErrorSide side) {
    fault.kind = kind;
    failed_count_ = 0;
    met_count_ = 0;
    for (fault.index = 0; fault.index < counts_[kind]; ++fault.index) {
      SCOPED_TRACE("operation " + std::to_string(static_cast<int>(kind)) + ", number " + std::to_string(fault.index));
      check({.at = fault}, codes, side);
      if (HasFatalFailure()) return;
    }
    // How many syncs there are depends on how fast they are.
    EXPECT_GT(met_count_, counts_[kind] / 2);
    EXPECT_EQ(failed_count_, met_count_)
        << "operation " << static_cast<int>(kind) << ", errno " << fault.sys_errno << ": all of them matter";
  }

  // Ends the child process of a test, whose failures nobody else prints.
  [[noreturn]] void finish() {
    const ::testing::TestResult& result = *::testing::UnitTest::GetInstance()->current_test_info()->result();
    for (int i = 0; i < result.total_part_count(); ++i) std::cerr << result.GetTestPartResult(i).message() << '\n';
    temp_dir_.reset();
    _exit(HasFailure() ? 1 : 0);
  }

  void pack_without_faults() {
    const auto backend = make_backend({});
    const Status packed = pack(*backend);
    ASSERT_TRUE(packed) << packed.error().message;
    expected_ = files();
    for (const OperationKind kind :
         {OperationKind::kOpen, OperationKind::kRead, OperationKind::kWrite, OperationKind::kSync}) {
      counts_[kind] = backend->seen_count(kind);
      EXPECT_GE(counts_[kind], 2u) << static_cast<int>(kind);
    }
  }

  void sweep() {
    pack_without_faults();
    using enum ErrorCode;
    const ErrorSide source = ErrorSide::kSource;
    const ErrorSide destination = ErrorSide::kDestination;
    check_each(OperationKind::kOpen, {.sys_errno = EIO}, {kIo}, source);
    check_each(OperationKind::kOpen, {.sys_errno = EMFILE}, {kResourceExhausted}, source);
    check_each(OperationKind::kRead, {.sys_errno = EIO}, {kIo}, source);
    check_each(OperationKind::kRead, {.sys_errno = EIO, .done_bytes_max = 1'000}, {kIo}, source);
    check_each(OperationKind::kRead, {.done_bytes_max = 10}, {kChanged}, source);
    check_each(OperationKind::kWrite, {.sys_errno = EIO}, {kIo}, destination);
    check_each(OperationKind::kWrite, {.sys_errno = ENOSPC, .done_bytes_max = 1'000}, {kNoSpace}, destination);
    check_each(OperationKind::kSync, {.sys_errno = EIO}, {kIo}, destination);
    check_each(OperationKind::kSync, {.sys_errno = ENOSPC}, {kNoSpace}, destination);
  }

  void by_seed() {
    pack_without_faults();
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      SCOPED_TRACE("seed " + std::to_string(seed));
      check({.seed = seed, .stall_permille = 100, .stall = std::chrono::milliseconds(2), .reorder_count = 8}, {},
            ErrorSide::kInternal);
    }
    EXPECT_EQ(failed_count_, 0u);
  }

  std::optional<testing::TempDir> temp_dir_;
  std::filesystem::path temp_;
  std::optional<SourceSet> sources_;
  Files expected_;
  std::map<OperationKind, uint64_t> counts_;
  uint64_t failed_count_ = 0;
  uint64_t met_count_ = 0;
};

TEST_F(PackFaultsTest, EachOperationFails) {
  EXPECT_EXIT(
      {
        begin();
        sweep();
        finish();
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_F(PackFaultsTest, StallsAndAnyOrderChangeNothing) {
  EXPECT_EXIT(
      {
        begin();
        by_seed();
        finish();
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace piecework::engine
