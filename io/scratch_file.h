// Temporary files without a name: gone with their descriptor, whatever happens to the process.
#pragma once

#include <string>

#include "io/file.h"

namespace piecework::io {

// A new, empty file in `directory_path`, open for reading and writing, mode 0600. Where the file system has no
// O_TMPFILE, the file has a name for a moment. Errors: the destination's.
Result<File> make_scratch_file(const std::string& directory_path);

// Whether such files can be made in `directory_path`. Errors: kNoSpace (config) where it is missing, no directory, or
// cannot be written; kResourceExhausted.
Status check_scratch_directory(const std::string& directory_path);

// Another descriptor of the open file `fd`, for writing whole pages without the page cache (O_DIRECT); closed where the
// file system has no such thing. It shares the lock of a PublishedFile (kWritersLockByte): the kernel may still be
// writing through it when the process that did is dead.
UniqueFd reopen_direct(int fd);

// The byte of a temporary's lock that all its descriptors hold, shared. The rest is the owner's alone.
inline constexpr int64_t kWritersLockByte = 1;

}  // namespace piecework::io
