// The io_uring backend: one thread owns a ring and keeps up to `depth` operations in flight. The only user of liburing.
#pragma once

#include <memory>

#include "io/backend.h"

namespace piecework::io {

// Errors: kUnsupported where this kernel, sandbox or limit gives no usable ring; the message names the likely cause and
// the fix. kInvalidArgument for a depth of zero or above 16,384. kResourceExhausted where the thread cannot be made.
Result<std::unique_ptr<Backend>> make_uring_backend(const BackendOptions& options);

}  // namespace piecework::io
