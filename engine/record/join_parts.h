// The parts of a file that is larger than a piece, as its join needs them: with the CIDs that they got when they were
// packed. Those are in the receipts of other batches, so a join waits for these.
#pragma once

#include <string>
#include <vector>

#include "engine/plan/plan_summary.h"
#include "engine/record/receipt.h"

namespace piecework::engine {

struct JoinPart {
  std::string path;
  uint32_t batch = 0;
  Cid cid;  // empty where that batch has no receipt yet
};

// The parts of the item that `join` joins, in the order of their places in the file. REQUIRES: a file's join.
std::vector<JoinPart> planned_join_parts(const PlanSummary& plan, const PlannedBatch& join);

// The same with their CIDs, as far as `receipts` (of the plan) has them. Errors: kCorrupt (config) where a receipt does
// not name the parts that its batch holds.
Result<std::vector<JoinPart>> read_join_parts(const PlanSummary& plan, const PlannedBatch& join,
                                              const io::OutputDirectory& receipts);

// The first that has no CID, or none: the join can be packed.
const JoinPart* first_missing(const std::vector<JoinPart>& parts);

}  // namespace piecework::engine
