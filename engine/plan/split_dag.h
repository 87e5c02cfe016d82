// A DAG that is larger than a piece, cut into subtrees that are not.
//
// A walk in DFS order takes each subtree whole where its blocks fit what is left of the part at hand, and goes below it
// where they do not; so a part holds topmost complete subtrees, consecutive in DFS order, and is complete by itself.
// The nodes that were gone below are the *upper* nodes: few (a path at each cut), they go to a join batch, which leaves
// external what stands in parts. A subtree that is linked twice among upper nodes is placed once. What the walk's own
// options leave external (known blocks) is in no part, and external in the join too.
//
// In its part a subtree is an entry of a directory at the item's path, named by 20 digits: of a UnixFS file the first
// byte, else the subtree's rank.
#pragma once

#include <string>
#include <vector>

#include "engine/store/cid_map.h"
#include "engine/store/dag_walk.h"

namespace piecework::engine {

inline constexpr size_t kDagPartNameBytes = 20;

// A topmost complete subtree.
struct DagPart {
  Cid cid;
  std::string name;         // 20 digits
  std::string path;         // where it stands in the item; of a chunk that of its file, of a shard its directory's
  bool opens_part = false;  // the first subtree of a part
};

// What is known of a DAG that was cut. Thread-compatible.
struct SplitDag {
  std::vector<DagPart> parts;  // in DFS order
  CidMap upper;                // the nodes that no part holds
  uint64_t upper_bytes = 0;    // of their sections
};

struct SplitLimits {
  uint64_t part_bytes_max = 0;  // of the sections and links of one part
  uint64_t link_bytes_max = 0;  // at most what a subtree adds to the directories above it
  size_t blocks_in_part_max = 0;
};

// Cuts the DAG of `root`. Errors: as walk_stored_dag; kInvalidArgument (config) for a block that no part can hold.
Result<SplitDag> split_dag(BlockStore& store, const Cid& root, const DagWalkOptions& options,
                           const SplitLimits& limits);

}  // namespace piecework::engine
