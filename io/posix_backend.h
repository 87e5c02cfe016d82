// The backend for machines where io_uring is forbidden: a fixed pool of threads that make the blocking calls.
//
// On cold disks 16 threads keep up with a ring (perf.md); the depth of the disk's queue is the number of threads.
#pragma once

#include <memory>
#include <string_view>

#include "io/backend.h"

namespace piecework::io {

// `reason` says in the description why this backend was picked.
// Errors: kResourceExhausted where the threads cannot be made, kInvalidArgument for zero threads.
Result<std::unique_ptr<Backend>> make_posix_backend(const BackendOptions& options, std::string_view reason);

}  // namespace piecework::io
