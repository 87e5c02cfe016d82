// One batch of a plan, from its sources to its receipt. Where the sources of some files fail and the request says so
// (--on-source-error skip), a batch of an existing plan is laid out anew without them and starts over; the receipt
// names them. Source: design.md 6.
#pragma once

#include "engine/pack_job.h"
#include "engine/plan/plan_file.h"

namespace piecework::engine {

// What a batch needs. References outlive the call.
struct BatchWork {
  PlanReader& plan;
  const PackRequest& request;
  const io::OutputDirectory& output;
  io::Backend& backend;
  const PackSettings& settings;
};

// Packs `batch`, which is not done. Of an existing plan all files are looked at before the first byte, and the plan is
// kept in DIR/plans. Errors: see pack_batch, check_batch_sources and lay_out_anew.
Result<PackedBatch> pack_planned_batch(const BatchWork& work, uint32_t batch, const SourceSet& sources);

}  // namespace piecework::engine
