// The plan of stores: DAGs that have their CIDs already, placed whole into batches and laid out exactly.
//
// A root is an item. Roots stand in the order of their names, in directories that Piecework makes: one source with one
// root is that DAG itself; several roots are a directory that names each by its CID; several sources one more above.
// A batch takes the next roots as long as they fit: a block that two of them share counts once in it. What a directory
// may come to is bounded from above, so a batch that was accepted fits. Source: design.md 3 and 6.
#pragma once

#include <memory>
#include <vector>

#include "engine/plan/make_plan.h"
#include "engine/store/block_store.h"

namespace piecework::engine {

// A source of a plan as a store, and what of it is packed.
struct StoreSource {
  BlockStore* store = nullptr;  // shared by all CARs
  std::vector<Cid> roots;       // in any order, repeats allowed
  uint32_t first_index = 0;     // number of the source that holds the store's file 0
};

// Opens the stores of a source set and finds their roots. Owns the stores. Thread-compatible.
class OpenedStores {
 public:
  // `sources` outlives the object. Errors: of the stores; of the roots (kubo_pins.h, --roots).
  static Result<OpenedStores> open(const SourceSet& sources, const PlanRequest& request);

  std::vector<StoreSource> sources;  // one for each of the set

 private:
  std::vector<std::unique_ptr<BlockStore>> stores_;
};

// Writes the plan of `sources`, all of them stores, to `path`, which must not exist. Errors: as walk_stored_dag;
// kInvalidArgument for a DAG that does not fit a piece; of the destination; kCancelled.
Result<PlanSummary> make_store_plan(const SourceSet& sources, const OpenedStores& stores, const PlanRequest& request,
                                    const std::string& path);

}  // namespace piecework::engine
