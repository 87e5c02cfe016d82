// Copies a stream that can be read only once, such as a pipe on standard input, into a file that can be read at
// offsets.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "io/file.h"

namespace piecework::io {

// Reads `descriptor` (which stays the caller's) to its end into a new file without a name in `scratch_directory`, as it
// comes, through a buffer of 1 MiB. `name` is for messages about the stream.
// `copied_bytes`, where set, grows; `stop`, where set, ends the copy within a fifth of a second, also while it waits.
// Errors: of the stream (source); of the scratch directory (destination, kNoSpace where it is full), naming it;
// kCancelled. The file goes with its descriptor.
Result<File> spool_stream(int descriptor, const std::string& name, const std::string& scratch_directory,
                          const std::atomic<bool>* stop = nullptr, std::atomic<uint64_t>* copied_bytes = nullptr);

}  // namespace piecework::io
