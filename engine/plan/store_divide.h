// Divides the roots of stores into batches as full as they get, in walk order. A root's DAG stays whole.
//
// A batch begins with the first root that is in none yet and takes the next ones while they fit; what the first that
// does not fit leaves free is filled with later ones. A block that two DAGs share counts once in a batch, so what a DAG
// adds to one is known only by walking it: far ahead, only DAGs that fit by what a link says of them are walked, and
// only so many that then do not. What the directories come to is estimated, then laid out exactly.
#pragma once

#include <optional>
#include <vector>

#include "engine/layout/batch_layout.h"
#include "engine/plan/plan_options.h"
#include "engine/plan/store_plan.h"
#include "engine/store/dag_walk.h"

namespace piecework::engine {

// What planning a batch keeps of each block in memory comes to at most 85 bytes.
inline constexpr size_t kBlocksInBatchMax = size_t{16} << 20;

// A subtree of a root that is larger than a piece.
struct PartIndex {
  size_t split = 0;  // which root
  size_t index = 0;  // among its parts
};

// A DAG that is packed whole, a root or a part of one: an entry of the inventory, which has its CID, and the source
// that holds it.
struct PlannedDag {
  EntryIndex entry = 0;
  uint32_t source = 0;
  std::optional<PartIndex> part{};
};

Cid root_of(const Inventory& inventory, const PlannedDag& dag);

// What is divided; holds references.
struct StoreItems {
  const Inventory& inventory;
  const PagedVector<PlannedDag>& dags;  // all of the inventory's, in its order
  const OpenedStores& stores;
};

struct StoreDivision {
  // Batches by their first entries; together they cover the inventory, each entry once. Each has a CAR of at most
  // options.payload_bytes_max.
  std::vector<EntryRanges> batches;
  // A DAG that does not fit a piece: it has to be cut, and the batches are not complete.
  std::optional<size_t> oversized_dag;
};

// Errors: as walk_stored_dag; those of BatchLayout::compute.
Result<StoreDivision> divide_stores(const StoreItems& items, const PlanOptions& options, const DagWalkOptions& walk);

}  // namespace piecework::engine
