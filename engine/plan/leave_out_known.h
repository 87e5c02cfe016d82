// Takes what is known (known_items.h) out of what there is to pack.
#pragma once

#include <atomic>
#include <vector>

#include "engine/layout/profile.h"
#include "engine/plan/known_items.h"
#include "engine/plan/source_set.h"
#include "engine/plan/store_plan.h"

namespace piecework::engine {

struct KnownSearch {
  Profile profile;  // of the plan
  unsigned thread_count = 1;
  const std::atomic<bool>* stop = nullptr;
  std::atomic<uint64_t>* read_bytes = nullptr;  // grows, for progress
};

// The inventory without its known files, symlinks and empty directories, and without the directories that hold nothing
// else; `known` says how much that was. Files of which `items` has the content are read where a file of their length
// was at their place. Errors: as FilePass.
Result<Inventory> leave_out_known(Inventory inventory, const SourceSet& sources, const KnownItems& items,
                                  const KnownSearch& search);

// Removes the known roots and repeated ones; returns how many known ones there were and their Tsizes. A root may be
// known as a block of an earlier DAG, where `items` has blocks: then its Tsize counts only where its store has it.
KnownTotals leave_out_known_roots(std::vector<StoreSource>& sources, const KnownItems& items);

}  // namespace piecework::engine
