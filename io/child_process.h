// Runs a program and waits for it: never through a shell, with bounded output and a time limit.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::io {

struct ChildCommand {
  std::vector<std::string> arguments;  // the program first, looked up in PATH; not empty
  ByteSpan input;                      // its standard input
  size_t output_bytes_max = size_t{1} << 20;
  int64_t timeout_ms = 60'000;
  const std::atomic<bool>* stop = nullptr;  // ends it early; may be null
};

struct ChildOutcome {
  int exit_code = -1;        // -1 where it did not end by itself
  std::string output;        // standard output
  std::string error_output;  // the first 4 KiB of standard error
  std::string failure;       // why it did not end by itself: time limit, signal, too much output; "" where it did

  bool is_success() const { return failure.empty() && exit_code == 0; }
};

// The program gets this process's environment, no other descriptors, and a process group of its own, which is killed
// as a whole. REQUIRES: SIGPIPE is ignored, where there is input. Errors: kNotFound, kPermission and such (config)
// where it could not be started: then it did nothing. Safe for concurrent use.
Result<ChildOutcome> run_child(const ChildCommand& command);

}  // namespace piecework::io
