// The digest stage: section headers, UnixFS wrappers and CIDs of a run's leaves, all digests in one call. Pure.
#pragma once

#include "engine/layout/profile.h"
#include "engine/piece/run.h"

namespace piecework::engine {

// Completes every leaf section in the run's buffer, whose file bytes are there, and fills run.digests. A block of a
// store gets its header and is compared with its CID. Safe for concurrent use on different runs. Errors (source):
// kCorrupt for a block that is not what its CID names, or that was taken for a leaf and has links; kUnsupported for a
// hash function that cannot be checked. The first such event's index goes to `failed_event`.
Status digest_run(Run& run, const Profile& profile, size_t& failed_event);

}  // namespace piecework::engine
