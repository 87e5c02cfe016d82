// Reads an earlier output directory: what its finished batches hold is known and need not be packed again.
//
// A batch counts where its receipt and its sidecars are there, whether or not its CAR is: that may be with a provider
// by now. What it holds is read from its records in plans/<digest>, whose digest is checked to the end, and for
// --known-check the CIDs of its files from <piece>.files.ndjson.zst, which is compared with its receipt. No source is
// read. Batches that leave blocks external are read again in the rounds of known_blocks.h, once where nothing is
// missing; the CIDs of blocks inside files that were packed from a directory are not in its plan, and not known.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "engine/layout/profile.h"
#include "engine/plan/known_items.h"
#include "kernels/base/error.h"

namespace piecework::engine {

struct KnownRequest {
  std::vector<std::string> directories;
  bool by_content = false;  // --known-check: files by content, not by mtime
  KnownGrain grain = KnownGrain::kItem;
  Profile profile;          // of the plan to come: a file that was packed with another one cannot be compared
  const std::atomic<bool>* stop = nullptr;
  std::function<void(std::string_view)> warning;  // what is ignored; may be empty
};

// Errors: kInvalidArgument (config) for what is no directory; kCorrupt (config) for a receipt, plan or sidecar that is
// damaged, named in the message; kCancelled. Warned of and ignored: receipts whose plan is not there; for content,
// batches of another profile.
Result<KnownItems> read_known_items(const KnownRequest& request);

// The (device, inode) of each directory: an output directory that lies inside a source is left out of it.
Result<std::vector<std::pair<uint64_t, uint64_t>>> identities_of(const std::vector<std::string>& directories);

}  // namespace piecework::engine
