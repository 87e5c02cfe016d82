// What a kernel result does to an operation: done, or again. The one place where results are judged, for every backend.
//
// A short transfer goes on where it stopped until the span is full, the file ends or an error comes. Real media
// announce an unreadable sector by a short read first and the error only on the next call, so "short" is never taken
// for "end".
#pragma once

#include <cstdint>

#include "io/operation.h"

namespace piecework::io {

enum class Progress : uint8_t {
  kDone,   // `result` is final
  kAgain,  // issue the operation once more, for what remaining_target/remaining_source and current_offset say
};

// Judges `kernel_result`, the return value of the call or -errno as in a completion of io_uring.
Progress apply_kernel_result(Operation& operation, int64_t kernel_result);

// At most this much is asked of the kernel at once: it moves less than 2 GiB per call, and a ring counts in 32 bits.
inline constexpr uint64_t kTransferBytesMax = uint64_t{1} << 30;

// The part of a read's target or a write's source that is next, at most kTransferBytesMax of it.
MutableByteSpan remaining_target(const Operation& operation);
ByteSpan remaining_source(const Operation& operation);
// Where in the file that part stands.
uint64_t current_offset(const Operation& operation);

}  // namespace piecework::io
