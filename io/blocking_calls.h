// Operations done at once on the calling thread, with blocking system calls: for the posix backend and for helpers that
// read or write outside a pipeline.
#pragma once

#include <cstdint>

#include "io/operation.h"

namespace piecework::io {

// Carries `operation` out and leaves its result in it, with the same treatment of short transfers and errno as every
// backend (io/progress.h). `complete` is not called. Returns how often a call had to be continued or repeated.
// REQUIRES: a fresh `result` and `state`.
uint64_t perform_to_end(Operation& operation);

}  // namespace piecework::io
