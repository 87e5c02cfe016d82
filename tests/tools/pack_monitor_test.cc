// Events and metrics of a job that the test plays.
#include "tools/pack_monitor.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <thread>

#include "tests/support/temp_dir.h"

namespace piecework::tools {
namespace {

class PackMonitorTest : public ::testing::Test {
 protected:
  PackMonitorOptions options(std::chrono::milliseconds interval) {
    return {.events_target = temp_ / "events",
            .metrics_path = temp_ / "metrics",
            .output_path = "pieces",
            .task = "all",
            .interval = interval,
            .metrics_interval = interval};
  }
  static engine::PlanSummary plan_of_two() {
    engine::PlanSummary plan;
    for (uint32_t batch = 0; batch < 2; ++batch) {
      engine::PlannedBatch planned;
      planned.batch = batch;
      planned.totals.car_bytes = 1000;
      planned.totals.file_count = 5;
      plan.batches.push_back(planned);
    }
    plan.skipped.push_back({"a/fifo", "a fifo", 0, 0});
    plan.skipped.push_back({"b\xff", "a socket", 0, 1});
    return plan;
  }
  std::vector<Json> events() {
    std::vector<Json> lines;
    std::istringstream stream(testing::read_file(temp_ / "events"));
    for (std::string line; std::getline(stream, line);) lines.push_back(Json::parse(line));
    return lines;
  }
  std::vector<std::string> event_names() {
    std::vector<std::string> names;
    for (const Json& event : events()) names.push_back(event.at("event"));
    return names;
  }
  std::string metric(const std::string& name) {
    std::istringstream stream(testing::read_file(temp_ / "metrics"));
    for (std::string line; std::getline(stream, line);) {
      if (line.rfind(name + "{", 0) == 0) return line.substr(line.rfind(' ') + 1);
    }
    return "none";
  }

  testing::TempDir temp_;
  engine::PackProgress progress_;
};

constexpr std::chrono::milliseconds kNever{3600 * 1000};

TEST_F(PackMonitorTest, TellsAJobFromBeginningToEnd) {
  PackMonitor monitor(options(kNever), progress_);
  EXPECT_EQ(metric("piecework_running"), "1");
  const engine::PlanSummary plan = plan_of_two();
  monitor.on_plan(plan, {0, 1});
  progress_.begin(2000);
  monitor.on_batch_started(plan.batches[0]);
  engine::PackedBatch packed;
  packed.receipt.piece_cid_v1 = "baga";
  packed.receipt.payload_bytes = 1000;
  progress_.finish_batch(1000);
  monitor.on_batch_done(packed);
  packed.receipt.batch = 1;
  packed.was_done = true;
  monitor.on_batch_done(packed);
  monitor.finish(0, nullptr);

  const std::vector<std::string> expected = {"plan",       "item_skipped", "item_skipped", "batch_started",
                                             "batch_done", "batch_done",   "done"};
  EXPECT_EQ(event_names(), expected);
  const std::vector<Json> lines = events();
  EXPECT_EQ(lines[0].at("batch_count"), 2);
  EXPECT_EQ(lines[0].at("car_bytes"), 2000);
  EXPECT_EQ(lines[1].at("path"), "a/fifo");
  EXPECT_EQ(lines[2].at("path_base64"), "Yv8=");
  EXPECT_EQ(lines[4].at("piece_cid_v1"), "baga");
  EXPECT_FALSE(lines[4].at("was_done").get<bool>());
  EXPECT_TRUE(lines[5].at("was_done").get<bool>());
  EXPECT_EQ(lines[6].at("packed_bytes"), 1000);
  EXPECT_EQ(metric("piecework_running"), "0");
  EXPECT_EQ(metric("piecework_exit_code"), "0");
  EXPECT_EQ(metric("piecework_packed_bytes_total"), "1000");
  EXPECT_EQ(metric("piecework_batches_packed_total"), "1");
  EXPECT_EQ(metric("piecework_batches_done_before_total"), "1");
  EXPECT_EQ(metric("piecework_skipped_items"), "2");
  EXPECT_GT(std::stoull(metric("piecework_resident_memory_bytes")), 100'000u);
}

// A task tells what its own batch leaves out.
TEST_F(PackMonitorTest, SkippedItemsAreThoseOfTheBatchesAtHand) {
  PackMonitor monitor(options(kNever), progress_);
  monitor.on_plan(plan_of_two(), {1});
  monitor.finish(0, nullptr);
  ASSERT_EQ(events().size(), 3u);
  EXPECT_EQ(events()[1].at("batch"), 1);
  EXPECT_EQ(metric("piecework_skipped_items"), "1");
}

TEST_F(PackMonitorTest, ErrorsAndStopsEndTheLog) {
  const Error full{ErrorCode::kNoSpace, ErrorSide::kDestination, 28, "no space", {}};
  {
    PackMonitor monitor(options(kNever), progress_);
    monitor.on_batch_started(plan_of_two().batches[1]);
    monitor.finish(73, &full);
  }
  const Error stop{ErrorCode::kCancelled, ErrorSide::kInternal, 0, "stopped", {}};
  PackMonitor(options(kNever), progress_).finish(75, &stop);
  const std::vector<Json> lines = events();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1].at("event"), "error");
  EXPECT_EQ(lines[1].at("exit_code"), 73);
  EXPECT_EQ(lines[1].at("class"), "no_space");
  EXPECT_EQ(lines[1].at("side"), "destination");
  EXPECT_EQ(lines[1].at("batch"), 1);
  EXPECT_EQ(lines[2].at("event"), "stopped");
  EXPECT_EQ(metric("piecework_exit_code"), "75");
  EXPECT_EQ(metric("piecework_last_error"), "1");
}

TEST_F(PackMonitorTest, ProgressIsSampledWhileTheJobRuns) {
  PackMonitor monitor(options(std::chrono::milliseconds(2)), progress_);
  const auto wait_for = [&](const std::string& phase) {
    for (;;) {
      for (const Json& event : events()) {
        if (event.at("event") == "progress" && event.at("phase") == phase) return event;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  };
  progress_.plan.entries_seen = 12;
  EXPECT_LE(wait_for("planning").at("entry_count"), 12);
  const engine::PlanSummary plan = plan_of_two();
  progress_.begin(2000);
  progress_.batch_bytes = 500;
  monitor.on_plan(plan, {0, 1});
  const Json packing = wait_for("packing");
  EXPECT_EQ(packing.at("packed_bytes"), 500);
  EXPECT_EQ(packing.at("planned_bytes"), 2000);
  monitor.finish(0, nullptr);
  EXPECT_EQ(event_names().back(), "done");
}

TEST_F(PackMonitorTest, AStallIsSaidOnceAndItsEndToo) {
  PackMonitorOptions impatient = options(std::chrono::milliseconds(5));
  impatient.stall_limit = std::chrono::milliseconds(50);
  PackMonitor monitor(impatient, progress_);
  const engine::PlanSummary plan = plan_of_two();
  monitor.on_plan(plan, {0, 1});
  progress_.begin(2000);
  monitor.on_batch_started(plan.batches[1]);
  progress_.batch_bytes = 700;
  const auto wait_for = [&](const std::string& name) {
    for (;;) {
      for (const Json& event : events()) {
        if (event.at("event") == name) return event;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  };
  const Json stalled = wait_for("stalled");
  EXPECT_EQ(stalled.at("phase"), "packing");
  EXPECT_EQ(stalled.at("batch"), 1);
  EXPECT_EQ(stalled.at("packed_bytes"), 700);
  EXPECT_GE(stalled.at("seconds"), 0.05);
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  progress_.batch_bytes = 800;
  EXPECT_GE(wait_for("resumed").at("seconds"), 0.1);
  monitor.finish(0, nullptr);
  const std::vector<std::string> names = event_names();
  EXPECT_EQ(names.back(), "done");
}

TEST_F(PackMonitorTest, AStallThatEndsWithTheJobIsSaidToEnd) {
  PackMonitorOptions impatient = options(std::chrono::milliseconds(200));
  impatient.stall_limit = std::chrono::milliseconds(300);
  PackMonitor monitor(impatient, progress_);
  while (event_names().empty() || event_names().back() != "stalled") {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  progress_.plan.entries_seen = 1;
  monitor.finish(0, nullptr);
  const std::vector<std::string> names = event_names();
  EXPECT_EQ(names[names.size() - 2], "resumed");
}

TEST_F(PackMonitorTest, FailureToWriteIsNoFailure) {
  PackMonitorOptions nowhere = options(kNever);
  nowhere.events_target = "/nonexistent/events";
  nowhere.metrics_path = "/nonexistent/metrics";
  PackMonitor monitor(nowhere, progress_);
  monitor.on_plan(plan_of_two(), {0});
  monitor.finish(0, nullptr);
  EXPECT_TRUE(std::filesystem::is_empty(temp_.path()));
}

}  // namespace
}  // namespace piecework::tools
