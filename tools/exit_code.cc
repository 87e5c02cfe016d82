// The one switch from errors to exit codes.
#include "tools/exit_code.h"

namespace piecework::tools {
namespace {

struct BySide {
  ExitCode source;
  ExitCode destination;
  ExitCode config;
};

// An internal error is never the fault of anything a scheduler could change: always 70.
ExitCode pick(ErrorSide side, BySide codes) {
  switch (side) {
    case ErrorSide::kSource:
      return codes.source;
    case ErrorSide::kDestination:
      return codes.destination;
    case ErrorSide::kConfig:
      return codes.config;
    case ErrorSide::kInternal:
      break;
  }
  return kExitInternal;
}

}  // namespace

ExitCode exit_code_of(const Error& error) {
  switch (error.code) {
    // Whose side it is does not matter to a scheduler here.
    case ErrorCode::kResourceExhausted:
      return kExitResources;
    case ErrorCode::kCancelled:
    case ErrorCode::kWaiting:
      return kExitStopped;
    case ErrorCode::kUnavailable:
      return kExitUnavailable;
    case ErrorCode::kConflict:
      return kExitInternal;

    // A plan or catalogue that cannot be read is like a destination's IO error: another machine may read it.
    case ErrorCode::kIo:
      return pick(error.side, {kExitCorrupt, kExitDestinationIo, kExitDestinationIo});
    // A missing output directory is one that cannot be written.
    case ErrorCode::kNotFound:
      return pick(error.side, {kExitMissing, kExitCannotWrite, kExitMissing});
    case ErrorCode::kChanged:
      return pick(error.side, {kExitMissing, kExitCannotWrite, kExitMismatch});
    // What was written and read back differently is the destination's IO error.
    case ErrorCode::kCorrupt:
      return pick(error.side, {kExitCorrupt, kExitDestinationIo, kExitMismatch});
    case ErrorCode::kInvalidArgument:
      return pick(error.side, {kExitCorrupt, kExitCannotWrite, kExitUsage});
    case ErrorCode::kUnsupported:
      return pick(error.side, {kExitCorrupt, kExitCannotWrite, kExitMismatch});
    // The config side writes too: a plan, the scratch directory.
    case ErrorCode::kNoSpace:
      return pick(error.side, {kExitCorrupt, kExitCannotWrite, kExitCannotWrite});
    case ErrorCode::kPermission:
      return pick(error.side, {kExitPermission, kExitCannotWrite, kExitPermission});
  }
  return kExitInternal;
}

std::string_view name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kIo:
      return "io";
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kChanged:
      return "changed";
    case ErrorCode::kCorrupt:
      return "corrupt";
    case ErrorCode::kInvalidArgument:
      return "invalid_argument";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kResourceExhausted:
      return "resource_exhausted";
    case ErrorCode::kNoSpace:
      return "no_space";
    case ErrorCode::kConflict:
      return "conflict";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kWaiting:
      return "waiting";
    case ErrorCode::kPermission:
      return "permission";
    case ErrorCode::kUnavailable:
      return "unavailable";
  }
  return "unknown";
}

std::string_view name_of(ErrorSide side) {
  switch (side) {
    case ErrorSide::kSource:
      return "source";
    case ErrorSide::kDestination:
      return "destination";
    case ErrorSide::kConfig:
      return "configuration";
    case ErrorSide::kInternal:
      return "internal";
  }
  return "unknown";
}

std::string_view exit_code_help() {
  return "Exit codes:\n"
         "   0  done, or already done\n"
         "  64  usage\n"
         "  65  a source or piece is corrupt, unreadable or hostile; verify says no\n"
         "  66  a source is missing or changed since the plan; nothing found\n"
         "  69  a remote party does not answer: retry later\n"
         "  70  internal error; receipts that contradict each other\n"
         "  71  out of memory or descriptors: retry elsewhere\n"
         "  73  the destination is full or not writable\n"
         "  74  IO error on the destination: retry elsewhere\n"
         "  75  stopped at a checkpoint, or waits for other batches: run the same command again\n"
         "  77  permission denied on a source\n"
         "  78  plan, checkpoint or receipt does not fit, or version mismatch";
}

}  // namespace piecework::tools
