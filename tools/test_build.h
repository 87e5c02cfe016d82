// What test builds (PIECEWORK_KILL_POINTS) read from the environment; other builds read none of it.
//
//   PIECEWORK_KILL=publish.after_link:3   SIGKILL at the third passing of that point
//   PIECEWORK_CHECKPOINT=0:1048576:65536  milliseconds between checkpoints, bytes of CAR between marks, dead bytes of a
//                                         log that is written anew
#pragma once

#include "engine/record/checkpoint_file.h"
#include "kernels/base/error.h"

namespace piecework::tools {

// Arms what PIECEWORK_KILL names. Call once, before any thread starts. Errors: kInvalidArgument (config).
Status arm_kill_point_from_environment();

// The policy that PIECEWORK_CHECKPOINT gives, else the usual one. Errors: kInvalidArgument (config).
Result<engine::CheckpointPolicy> checkpoint_policy();

}  // namespace piecework::tools
