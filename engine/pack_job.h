// The main job: sources in, pieces out.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/pack_batch.h"
#include "engine/pack_limits.h"
#include "engine/pack_progress.h"
#include "engine/plan/make_plan.h"
#include "io/backend.h"

namespace piecework::engine {

struct PackRequest {
  std::vector<Source> sources;    // empty: those of `plan_path`; with a plan: where its sources are now, in its order
  std::string plan_path;          // an existing plan, or empty: one is made
  std::vector<uint32_t> batches;  // of an existing plan; empty: all
  std::string output_path;
  std::string roots_path;    // see PlanRequest
  std::string scratch_path;  // a directory for what does not fit memory; empty: the output directory
  std::vector<std::string> known_paths;  // earlier output directories: what they hold is left out; see pack_plan.h
  bool known_by_content = false;         // see KnownRequest
  KnownGrain known_grain = KnownGrain::kItem;
  PlanOptions options;
  SourceErrorPolicy on_source_error = SourceErrorPolicy::kFail;
  bool store_car = true;
  unsigned thread_count = 1;
  uint64_t memory_bytes = 256 * kMiB;
  uint32_t events_per_run_max = PipelineLimits().events_per_run_max;
  io::BackendKind backend = io::BackendKind::kAutomatic;
  CheckpointPolicy checkpoints;
  std::chrono::milliseconds attempt_patience = kAttemptPatience;
  const std::atomic<bool>* stop = nullptr;
  PackProgress* progress = nullptr;
  PackObserver* observer = nullptr;
  std::function<void(std::string_view)> warning;  // what should be said in any case
  std::function<void(std::string_view)> notice;  // one line for people; may be empty
};

struct PackReport {
  PlanSummary plan;                  // the last one that had batches, or the one in which nothing is new
  std::vector<PackedBatch> batches;  // of a plan that an earlier run had begun first, then of what is new since
  uint64_t packed_bytes = 0;  // CAR bytes that were not done before
};

// Errors: see make_plan, read_known_items and pack_batch. With SourceErrorPolicy::kSkip an item that fails while it is
// packed is left out and the plan is made anew without it. The sources of an existing plan are opened only once a batch
// is not done; the plan itself is then kept in DIR/plans.
Result<PackReport> run_pack_job(const PackRequest& request);

}  // namespace piecework::engine
