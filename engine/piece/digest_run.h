// The digest stage: section headers, UnixFS wrappers and CIDs of a run's leaves, all digests in one call. Pure.
#pragma once

#include "engine/layout/profile.h"
#include "engine/piece/run.h"

namespace piecework::engine {

// Completes every leaf section in the run's buffer, whose file bytes are there, and fills run.digests. Safe for
// concurrent use on different runs.
void digest_run(Run& run, const Profile& profile);

}  // namespace piecework::engine
