// Walks the sources into an inventory: deterministic, nothing but directories opened. Lists are read ahead of the walk
// (engine/plan/listing_ahead.h), and large ones by several threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "engine/plan/inventory.h"
#include "engine/plan/source_set.h"

namespace piecework::engine {

enum class SourceErrorPolicy : uint8_t { kFail, kSkip };

struct ScanOptions {
  bool include_hidden = true;  // names that begin with a dot
  SourceErrorPolicy on_error = SourceErrorPolicy::kFail;
  // (device, inode) of directories that are left out: the output directory, should it lie inside a source.
  std::vector<std::pair<uint64_t, uint64_t>> excluded_directories;
  // Paths in the packed tree that are left out, sorted: items whose reading failed earlier, with the reason.
  std::vector<SkippedItem> excluded_items;
  unsigned thread_count = 1;    // while lists are in the page cache; slow disks get more
  PageSource* pages = nullptr;  // of the inventory
  const std::atomic<bool>* stop = nullptr;
  std::atomic<uint64_t>* entries_seen = nullptr;
};

// Everything the sources hold, in walk order. Fifos, sockets and devices are never opened: they are listed as skipped.
// Errors: of the source; of the source of pages; kCancelled; kInvalidArgument for a file over
// FileShape::kFileBytesMax.
Result<Inventory> scan_sources(const SourceSet& sources, const ScanOptions& options);

}  // namespace piecework::engine
