// What test builds (PIECEWORK_KILL_POINTS) read from the environment; other builds read none of it.
//
//   PIECEWORK_KILL=publish.after_link:3      SIGKILL at the third passing of that point
//   PIECEWORK_NOW=1800000000                 the clock of the deal driver
//   PIECEWORK_DEAL_TIMEOUT=500               milliseconds that it waits for a provider's answer
//   PIECEWORK_CHECKPOINT=0:1048576:65536:8   milliseconds between checkpoints, bytes of CAR between marks, dead bytes
//                                            of a log that is written anew, events in a run
//   PIECEWORK_STALL=1000                     milliseconds without progress after which work counts as stalled
//   PIECEWORK_PATIENCE=200                   milliseconds without progress after which an attempt is not waited for
#pragma once

#include <cstdint>
#include <optional>

#include "engine/pack_job.h"
#include "kernels/base/error.h"

namespace piecework::tools {

// Arms what PIECEWORK_KILL names. Call once, before any thread starts. Errors: kInvalidArgument (config).
Status arm_kill_point_from_environment();

// Sets what PIECEWORK_CHECKPOINT and PIECEWORK_PATIENCE say in `request`. Errors: kInvalidArgument (config).
Status set_checkpoints_from_environment(engine::PackRequest& request);

// What PIECEWORK_NOW says, seconds since 1970: deals live for years. None where it says nothing that is a number.
std::optional<int64_t> now_from_environment();
// What PIECEWORK_STALL says.
std::optional<int64_t> stall_ms_from_environment();
// What PIECEWORK_DEAL_TIMEOUT says.
std::optional<int64_t> deal_timeout_ms_from_environment();

}  // namespace piecework::tools
