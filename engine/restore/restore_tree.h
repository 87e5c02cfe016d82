// Trees out of CARs into a directory: every block is checked as it is read, what can be restored is restored, and
// nothing is written that was not asked for. Source: design.md 6, formats.md 11.
//
// Several roots go into one directory: the pieces of a plan hold parts of one tree, under the same paths. Where an item
// was larger than a piece, its parts stand at its path as a directory of links named by 20 digits; that is passed over
// where another root has the item itself there (the join), which finds its parts in the other CARs.
//
// A directory root's entries come into the target; a root that is a file or symlink has no name, and comes into it
// under its CID. Order: directories and files as the tree has them, then symlinks, then modes and times of directories.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "engine/restore/block_reader.h"
#include "engine/restore/measure_tree.h"
#include "engine/restore/restore_report.h"
#include "io/restore_target.h"

namespace piecework::engine {

enum class SymlinkPolicy : uint8_t {
  kInside,  // those that cannot lead out of the target; the others are listed
  kAny,
};

struct RestoreRequest {
  std::vector<Cid> roots;
  // Only what stands here below a root; "" for everything. A directory's entries come into the target, anything else
  // under its last component.
  std::string path;
  SymlinkPolicy symlinks = SymlinkPolicy::kInside;
  RestoreLimits limits;
  bool sync = false;  // at the end, everything restored is made to survive a power cut
  unsigned thread_count = 1;
  const std::atomic<bool>* stop = nullptr;
  std::atomic<uint64_t>* planned_bytes = nullptr;  // for progress: bytes of content
  std::atomic<uint64_t>* done_bytes = nullptr;
};

// Restores into `target`, or, where there is none, reads and checks everything and writes nothing. Memory: 64 MiB of
// content, 64 MiB of nodes, and the names of symlinks (kSymlinkBytesMax). What the CARs lack or have wrong goes to the
// report. Errors: kNotFound (source) where no root has the path; kUnsupported (source) where a limit is passed, before
// anything is written; of the target; kCancelled, after which the same call goes on.
Result<RestoreReport> restore_trees(BlockReader& reader, const RestoreRequest& request, io::RestoreTarget* target);

// Whether a symlink at `path` (relative to the target) stays inside: it is relative, ".." stands only at its beginning,
// and there are no more of them than directories above it. A ".." behind a name could follow another symlink out.
bool stays_inside(std::string_view path, std::string_view link_target);

inline constexpr uint64_t kSymlinkBytesMax = 256 * kMiB;

}  // namespace piecework::engine
