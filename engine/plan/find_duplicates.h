// Finds files (and, where asked, chunks) of equal content before the layout is made.
//
// Dedup::kNone reads nothing. kFiles reads only candidates: files that share a size, of these the first 4 KiB, of those
// that still look alike all of it; SHA-256 decides (a faster hash could be forged, and a forged match would put one
// user's file in the place of another's). kBlocks reads everything and knows the digest of every chunk.
#pragma once

#include <atomic>

#include "engine/layout/content_classes.h"
#include "engine/layout/profile.h"
#include "engine/plan/source_set.h"

namespace piecework::engine {

struct DuplicateSearch {
  Dedup dedup = Dedup::kFiles;
  unsigned thread_count = 1;
  const std::atomic<bool>* stop = nullptr;
  std::atomic<uint64_t>* read_bytes = nullptr;  // grows, for progress
};

// Reads what it must and returns the classes, whose memory comes from where the inventory's does. Errors: of that; of
// the source: a file that vanished, changed since it was listed, or cannot be read; Error::path is its path in the
// packed tree. kCancelled.
Result<ContentClasses> find_duplicates(const Inventory& inventory, const SourceSet& sources, const Profile& profile,
                                       const DuplicateSearch& search);

}  // namespace piecework::engine
