// Looks at the files of a batch before its first byte is packed: a task whose sources are gone, changed or not readable
// fails at once and not after hours. A run that has just planned them need not. Source: design.md 6.
#pragma once

#include <atomic>

#include "engine/plan/plan_file.h"
#include "engine/plan/source_set.h"

namespace piecework::engine {

// Opens the sources of a plan where the plan saw them or, where `moved` is not empty, at its paths: the same names in
// the same order. Errors: as SourceSet::open; kInvalidArgument (config) where the names differ; kChanged (source) for
// one of another kind than the plan saw.
Result<SourceSet> open_planned_sources(const PlanSummary& plan, const std::vector<Source>& moved);

// Opens every file of `batch`. Blocks of stores are not looked for: each is found, or not, when it is packed. Memory:
// some hundred files. Errors: as FileRounds; of the plan.
Status check_batch_sources(PlanReader& plan, uint32_t batch, const SourceSet& sources, unsigned thread_count,
                           const std::atomic<bool>* stop);

// The same, but the files that fail are returned, ascending by path, with what is wrong. Errors: of the plan; of a file
// in parts, which is not skipped: some of it may be in pieces already.
Result<std::vector<SkippedItem>> find_failed_sources(PlanReader& plan, uint32_t batch, const SourceSet& sources,
                                                     unsigned thread_count, const std::atomic<bool>* stop);

// Whether an item that failed so may be left out of its batch.
bool may_skip(const Error& error, const PlanSummary& plan);

}  // namespace piecework::engine
