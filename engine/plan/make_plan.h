// Sources in, plan file out: walk, find duplicates, divide into batches, lay out and store. Stores: store_plan.h.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "engine/plan/known_items.h"
#include "engine/plan/plan_file.h"
#include "engine/plan/scan_sources.h"
#include "kernels/base/units.h"

namespace piecework::engine {

// What making a plan has done so far; read by whoever shows progress.
struct PlanProgress {
  std::atomic<uint64_t> entries_seen{0};
  std::atomic<uint64_t> read_bytes{0};
};

struct PlanRequest {
  PlanOptions options;
  SourceErrorPolicy on_source_error = SourceErrorPolicy::kFail;
  std::vector<std::pair<uint64_t, uint64_t>> excluded_directories;
  std::vector<SkippedItem> excluded_items;
  const KnownItems* known = nullptr;  // left out; may be null
  KnownGrain known_grain = KnownGrain::kItem;  // that `known` was read with
  std::string roots_path;    // of stores: a list of roots; empty: what is pinned, or what a CAR's header names
  std::string scratch_path;  // a directory for what does not fit memory
  uint64_t memory_bytes = 256 * kMiB;
  unsigned thread_count = 1;
  const std::atomic<bool>* stop = nullptr;
  std::function<void(std::string_view)> warning;  // one line for people; may be empty
  PlanProgress* progress = nullptr;
};

// Blocks are known only of stores: kInvalidArgument (config) for other sources. make_plan checks this too; here it can
// be known before anything is read.
Status check_known_grain(const SourceSet& sources, KnownGrain grain);

// Writes the plan of `sources` to `path`, which must not exist. On an error the file may be left incomplete: the caller
// removes it. With SourceErrorPolicy::kSkip what cannot be read is left out and listed in the summary. Where all that
// there is is known, the plan has no batches; where there is nothing at all, that is an error (kNotFound).
// Memory: what is known about entries, roots and blocks stays within half of request.memory_bytes, the rest of it goes
// to an unnamed file in the scratch directory. The listing of one directory and the list of roots are always in memory.
Result<PlanSummary> make_plan(const SourceSet& sources, const PlanRequest& request, const std::string& path);

}  // namespace piecework::engine
