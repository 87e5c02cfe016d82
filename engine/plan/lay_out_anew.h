// A batch of an existing plan without some of its files: those whose sources failed (--on-source-error skip).
//
// What the plan says of the batch's entries becomes an inventory again, without those files; equal contents are looked
// for among the rest, as when the plan was made, and the batch is laid out like any other. Source: design.md 6.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "engine/plan/plan_file.h"
#include "engine/plan/source_set.h"

namespace piecework::engine {

struct AnewSettings {
  std::string plan_path;     // where the new layout is written; the file must not exist, and may be removed afterwards
  std::string scratch_path;  // for what does not fit memory
  uint64_t memory_bytes = 256 * kMiB;
  unsigned thread_count = 1;
  const std::atomic<bool>* stop = nullptr;
};

// A reader of the plan in which `batch` stands laid out anew and no other batch can be read. Its summary is the plan's,
// digest included, but for that batch and the skipped items, which end with `left_out` (ascending by path; none is a
// part of a larger file). Sources are read as --dedup asks. Errors: of find_duplicates; of the plan;
// kNotFound (source) where nothing is left; kInvalidArgument (config) where the rest does not fit the piece.
Result<std::unique_ptr<PlanReader>> lay_out_anew(PlanReader& plan, uint32_t batch,
                                                 const std::vector<SkippedItem>& left_out, const SourceSet& sources,
                                                 const AnewSettings& settings);

}  // namespace piecework::engine
