// Which plan a pack job of sources works on: a new one or, where the job leaves out what the output directory itself
// holds, one that an earlier run of it has begun.
//
// The latter is for `pack SOURCE --out DIR --known DIR`, run every hour and killed at times. Whatever batch is done is
// known to the next run: a plan that is made anew leaves out what its own first batches hold, has another digest, and
// the batch that was cut would start over. Therefore a plan of such a job is *open* until its batches are done: an
// empty file, plans/<digest>-<job>.open, stands before the first of its bytes is packed and goes after its last
// receipt. The next run of the same job (options, grain, sources, list of roots) packs the rest of an open plan first,
// then plans what is new since. Where a source of it has changed meanwhile, the open plan is given up: what its
// finished batches hold stays known, the rest is planned anew, and what was half packed is removed. So nothing is
// packed twice or left behind, and no run waits for a file that will not come back.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/plan/known_items.h"
#include "engine/plan/plan_file.h"
#include "engine/plan/source_set.h"
#include "io/publish.h"

namespace piecework::engine {

struct PackRequest;

struct ChosenPlan {
  PlanSummary summary;
  std::unique_ptr<PlanReader> reader;  // none where the plan has no batches: nothing is new
  std::string open_name;               // of the file that says that it is open; "" where it needs none
  bool was_begun = false;              // by an earlier run, or by another copy of this one
};

// Thread-compatible. References outlive it.
class PlanChooser {
 public:
  static Result<PlanChooser> open(const PackRequest& request, const io::OutputDirectory& output);

  // A plan of the request's sources: an open one, else a new one, stored under its digest in DIR/plans. `excluded` are
  // items that failed before. Errors: see make_plan and read_known_items.
  Result<ChosenPlan> choose(const SourceSet& sources, const std::vector<SkippedItem>& excluded);

  // All batches of `plan` are done.
  Status close(const ChosenPlan& plan) const;
  // A source of `plan` is not what it was: it is not gone on with. REQUIRES: plan.open_name is not empty.
  Status give_up(const ChosenPlan& plan) const;

 private:
  PlanChooser(const PackRequest& request, const io::OutputDirectory& output, io::OutputDirectory plans)
      : request_(request), output_(output), plans_(std::move(plans)) {}

  Result<std::vector<std::string>> plan_names() const;
  Result<std::optional<ChosenPlan>> find_open_plan(const std::vector<std::string>& names,
                                                   const std::string& suffix) const;
  Result<std::optional<ChosenPlan>> take_known(const std::string& open_suffix);
  Result<ChosenPlan> make_plan_of(const SourceSet& sources, const std::vector<SkippedItem>& excluded) const;
  Status mark_open(const std::string& name) const;
  Status remove_open(const std::string& name) const;

  const PackRequest& request_;
  const io::OutputDirectory& output_;
  io::OutputDirectory plans_;
  std::vector<std::pair<uint64_t, uint64_t>> excluded_directories_;  // the output directory and the known ones
  bool knows_its_output_ = false;  // the output directory is a known one
  bool has_warned_ = false;
  KnownItems known_;
};

// Keeps a copy of the plan at `plan_path` in DIR/plans, where later plans look for what is known. Several tasks may do
// so at once.
Status keep_plan(const std::string& plan_path, const PlanSummary& plan, const io::OutputDirectory& output);

}  // namespace piecework::engine
