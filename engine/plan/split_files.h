// Cuts files that are larger than a piece into parts that are not.
//
// A walk over a file's DAG in pre-order takes each subtree whole where it fits what is left of the part at hand, and
// goes below it where it does not; so a part holds topmost complete subtrees, consecutive in the file. Only sizes
// decide, as for everything else in a plan. In the inventory a directory takes the file's place, with an entry for each
// subtree, named by 20 digits: its first byte in the file. So parts are divided into batches like any other leaves, and
// small files fill what they leave. The nodes that were gone below are *upper* nodes: few (a path at each cut), they go
// to a join, a batch of its own at the end of the plan. The same for DAGs of stores: split_dag.h. Source: design.md 6.
#pragma once

#include <string>
#include <vector>

#include "engine/layout/batch_layout.h"
#include "engine/plan/plan_options.h"
#include "engine/plan/plan_summary.h"

namespace piecework::engine {

// A file that was cut. Its directory is an entry of the inventory; the parts are what that holds.
struct SplitFile {
  EntryIndex directory = 0;
  uint64_t file_bytes = 0;
  int64_t mtime_ns = 0;
};

struct SplitInventory {
  Inventory inventory;
  std::vector<SplitFile> files;  // in its order
};

// Errors: kInvalidArgument (config) for a file of which one block does not fit a piece; those of BatchLayout::compute.
Result<SplitInventory> split_large_files(Inventory inventory, const PlanOptions& options);

// The parts of files in a batch.
BatchParts parts_in(const Inventory& inventory, const EntryRanges& batch);

// The upper nodes of a file: what the batch is laid out from, and the nodes that stand in other batches.
struct FileJoin {
  Inventory inventory;  // the file, alone under its path
  std::vector<FileNodePlace> external_nodes;
  std::string path;
};
FileJoin join_of(const SplitInventory& split, const SplitFile& file);

}  // namespace piecework::engine
