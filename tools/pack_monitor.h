// Tells other programs how a pack goes: events (--events) and metrics (--metrics-file). Neither ever fails the pack:
// what cannot be written is a warning.
//
// Events: plan, item_skipped, batch_started, progress (at most one a second), stalled, resumed, batch_done, and one
// that ends the log: done, stopped or error. Metrics are written at the start, every few seconds and at the end.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "engine/pack_progress.h"
#include "tools/event_log.h"
#include "tools/pack_metrics.h"
#include "tools/progress.h"
#include "tools/progress_rate.h"
#include "tools/stall_watch.h"
#include "tools/ticker.h"

namespace piecework::tools {

struct PackMonitorOptions {
  std::string events_target;                         // see EventLog; empty: none
  std::string metrics_path;                          // empty: none
  std::string output_path;                           // names the job in metrics
  std::string task;                                  // a batch's number or "all"; the same
  std::chrono::milliseconds interval{1000};          // between progress events
  std::chrono::milliseconds metrics_interval{5000};  // between metrics files
  std::chrono::milliseconds stall_limit = kStallLimit;  // see StallWatch
};

// Safe for concurrent use: the job's thread calls the observer, a thread of its own samples the counters.
class PackMonitor : public engine::PackObserver {
 public:
  // `progress` outlives the monitor.
  PackMonitor(PackMonitorOptions options, const engine::PackProgress& progress);
  ~PackMonitor() override;

  void on_plan(const engine::PlanSummary& plan, const std::vector<uint32_t>& batches) override;
  void on_batch_started(const engine::PlannedBatch& batch) override;
  void on_batch_done(const engine::PackedBatch& batch) override;

  // The job has ended, with or without an error: the last event and the last metrics. To be called once, at the end.
  void finish(int exit_code, const Error* error);

 private:
  using Clock = std::chrono::steady_clock;
  void tick();
  void write_stall_event(double seconds);
  Json progress_fields();
  void write_metrics();

  const PackMonitorOptions options_;
  const engine::PackProgress& progress_;
  const Clock::time_point start_ = Clock::now();
  EventLog events_;

  std::mutex mutex_;  // of what follows
  PackMetrics metrics_;
  std::optional<uint32_t> batch_;  // at hand
  RateEstimator rate_;
  StallWatch stalls_;
  Clock::time_point next_metrics_;
  bool warned_of_metrics_ = false;

  std::optional<Ticker> ticker_;  // last: it uses all above
};

}  // namespace piecework::tools
