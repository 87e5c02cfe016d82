// This program run as a process of its own, so that what it takes can be told from what its caller takes.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kernels/base/error.h"

namespace piecework::tools {

// What a finished process took, from wait4(2). Not its memory: ru_maxrss begins with what this process had.
struct ChildUsage {
  double seconds = 0;      // from its start to its end
  double cpu_seconds = 0;  // user and system, all threads
  // Processor seconds that others took meanwhile; the kernel's own threads, which write back, count as others.
  double foreign_cpu_seconds = 0;
  // While it ran: the time in which at least one task of the whole machine waited for IO, as the kernel's pressure
  // stall information counts it; none where the kernel has none.
  std::optional<double> io_wait_seconds;
};

struct FinishedChild {
  std::string standard_output;
  ChildUsage usage;
};

// Runs /proc/self/exe with `arguments`, this environment and an empty standard input, and waits for it; a stop request
// is passed on as SIGTERM. Its output goes through files in `scratch`. One at a time in a process.
// Errors: kCancelled where it was stopped; kNoSpace and kIo (destination) and kResourceExhausted where its exit code
// says so; any other end but 0 is an internal kConflict. Messages end with what it printed to stderr.
Result<FinishedChild> run_self(const std::vector<std::string>& arguments, const std::filesystem::path& scratch);

}  // namespace piecework::tools
