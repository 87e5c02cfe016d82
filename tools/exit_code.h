// Exit codes: a contract with schedulers (design.md, section 6). Values are those of sysexits.h, chosen so that a
// scheduler can act on the number alone. Every help text quotes the table that exit_code_help() returns.
#pragma once

#include <string_view>

#include "kernels/base/error.h"

namespace piecework::tools {

enum ExitCode : int {
  kExitDone = 0,            // done, or already done
  kExitUsage = 64,          // wrong flags or arguments
  kExitCorrupt = 65,        // a source or piece is corrupt, unreadable or hostile; verify says no
  kExitMissing = 66,        // a source is missing or changed since the plan; nothing found
  kExitUnavailable = 69,    // a remote party does not answer
  kExitInternal = 70,       // internal error; receipts that contradict each other
  kExitResources = 71,      // out of memory or descriptors
  kExitCannotWrite = 73,    // the destination is full or not writable
  kExitDestinationIo = 74,  // IO error on the destination
  kExitStopped = 75,        // stopped at a checkpoint: run again
  kExitPermission = 77,     // permission denied on a source
  kExitMismatch = 78,       // a plan, checkpoint or receipt that does not fit; version mismatch
};

// The exit code of `error`, from its code and its side.
ExitCode exit_code_of(const Error& error);

// "no_space", "destination": how records name what an error is and whose it is.
std::string_view name_of(ErrorCode code);
std::string_view name_of(ErrorSide side);

// The table of exit codes as every help text shows it; several lines, no newline at the end.
std::string_view exit_code_help();

}  // namespace piecework::tools
