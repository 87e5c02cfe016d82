// The main job: sources in, pieces out.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/pack_batch.h"
#include "engine/plan/make_plan.h"
#include "io/backend.h"

namespace piecework::engine {

// What a job has done so far; read by whoever shows progress.
struct PackProgress {
  PlanProgress plan;
  std::atomic<uint64_t> planned_bytes{0};   // CAR bytes of all batches, once the plan is there
  std::atomic<uint64_t> finished_bytes{0};  // of batches that are done
  std::atomic<uint64_t> batch_bytes{0};     // of the batch at hand
};

struct PackRequest {
  std::vector<Source> sources;    // empty: those of `plan_path`
  std::string plan_path;          // an existing plan, or empty: one is made
  std::vector<uint32_t> batches;  // of an existing plan; empty: all
  std::string output_path;
  PlanOptions options;
  SourceErrorPolicy on_source_error = SourceErrorPolicy::kFail;
  bool store_car = true;
  unsigned thread_count = 1;
  uint64_t memory_bytes = 256 * kMiB;
  uint32_t events_per_run_max = PipelineLimits().events_per_run_max;
  io::BackendKind backend = io::BackendKind::kAutomatic;
  CheckpointPolicy checkpoints;
  const std::atomic<bool>* stop = nullptr;
  PackProgress* progress = nullptr;
  std::function<void(std::string_view)> notice;  // one line for people; may be empty
};

struct PackReport {
  PlanSummary plan;
  std::vector<PackedBatch> batches;
  uint64_t packed_bytes = 0;  // CAR bytes that were not done before
};

// Errors: see make_plan and pack_batch. With SourceErrorPolicy::kSkip an item that fails while it is packed is left out
// and the plan is made anew without it.
Result<PackReport> run_pack_job(const PackRequest& request);

// Slots of the pipeline for a memory budget. Errors: kInvalidArgument where the budget is too small.
Result<PipelineLimits> pipeline_limits(unsigned thread_count, uint64_t memory_bytes);

}  // namespace piecework::engine
