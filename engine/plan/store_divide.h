// Divides the roots of stores into batches. A root's DAG stays whole.
//
// A batch takes the next roots as long as they fit: a block that two of them share counts once in it. What a directory
// may come to is bounded from above, so a batch that was accepted fits.
#pragma once

#include <span>
#include <vector>

#include "engine/layout/batch_layout.h"
#include "engine/plan/plan_options.h"
#include "engine/plan/store_plan.h"
#include "engine/store/dag_walk.h"

namespace piecework::engine {

// A root: an entry of the inventory, which has its CID, and the source that holds it.
struct PlannedDag {
  EntryIndex entry = 0;
  uint32_t source = 0;
};

Cid root_of(const Inventory& inventory, const PlannedDag& dag);

// What is divided; holds references.
struct StoreItems {
  const Inventory& inventory;
  std::span<const PlannedDag> dags;  // all of the inventory's, in its order
  const OpenedStores& stores;
};

// Ranges that cover the inventory, in order, each with a CAR of at most options.payload_bytes_max. Errors: as
// walk_stored_dag; kInvalidArgument for a DAG that does not fit a piece, kResourceExhausted for one of too many blocks.
Result<std::vector<EntryRange>> divide_stores(const StoreItems& items, const PlanOptions& options,
                                              const DagWalkOptions& walk);

}  // namespace piecework::engine
