// The plan of stores: DAGs that have their CIDs already, placed whole into batches and laid out exactly.
//
// A root is an item. Roots stand in the order of their names, in directories that Piecework makes: one source with one
// root is that DAG itself; several roots are a directory that names each by its CID; several sources one more above.
// Which roots share a batch is store_divide.h's. With --known-grain block, known blocks below the roots are left
// external (known_blocks.h) wherever a DAG is walked, so everything that is reckoned here is about new blocks alone.
// Source: design.md 3 and 6.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/plan/make_plan.h"
#include "engine/store/block_store.h"
#include "engine/store/car_store.h"

namespace piecework::engine {

// A source of a plan as a store, and what of it is packed.
struct StoreSource {
  BlockStore* store = nullptr;  // shared by all CARs
  std::vector<Cid> roots;       // in any order, repeats allowed
  bool lists_roots = false;     // a directory names them even where there is only one
  // For each file of the store (BlockPlace::file_index) the number of the source that it is.
  std::span<const uint32_t> file_sources;
};

// Opens the stores of a source set and finds their roots. Owns the stores. Thread-compatible, movable.
class OpenedStores {
 public:
  // `sources` outlives the object. Errors: of the stores; of the roots (kubo_pins.h, --roots); kNotFound for a root of
  // --roots that none of several sources has.
  static Result<OpenedStores> open(const SourceSet& sources, const PlanRequest& request);

  std::vector<StoreSource> sources;   // one for each of the set
  KnownTotals known;                  // what of them was left out (leave_out_known.h)
  std::vector<std::string> warnings;  // what should be said about them

 private:
  Status open_stores(const SourceSet& set, const PlanRequest& request);
  Status take_roots(const SourceSet& set, const PlanRequest& request);
  Status take_listed_roots(const SourceSet& set, const PlanRequest& request);
  Status take_top_blocks(const SourceSet& set, const PlanRequest& request);
  Status warn_of_missing_roots(BlockStore& store);
  Status add_top_block(uint32_t source, const CidView& cid);
  Status drop_missing_roots();

  std::vector<std::unique_ptr<BlockStore>> stores_;
  const CarStore* cars_ = nullptr;
  uint64_t top_block_count_ = 0;
  std::vector<std::unique_ptr<std::vector<uint32_t>>> file_sources_;
};

// Writes the plan of `sources`, all of them stores, to `path`, which must not exist. Errors: as walk_stored_dag;
// kInvalidArgument for a DAG that does not fit a piece; of the destination; kCancelled.
Result<PlanSummary> make_store_plan(const SourceSet& sources, const OpenedStores& stores, const PlanRequest& request,
                                    const std::string& path);

}  // namespace piecework::engine
