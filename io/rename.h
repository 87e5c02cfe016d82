// Renaming and removing files of the output directory, durably, and without ever replacing one.
#pragma once

#include <string>

#include "kernels/base/error.h"

namespace piecework::io {

// The bare call: 0, or the errno (EEXIST where `to` is taken). Where the file system cannot rename so (renameat2 with
// RENAME_NOREPLACE), the new name is linked and the old one removed, which does not replace either.
int rename_without_replacing(int from_directory_fd, const char* from, int to_directory_fd, const char* to);

// Renames `from` to `to`, in the same directory, and syncs that; false where `to` is taken. Errors: destination.
Result<bool> rename_without_replacing(const std::string& from, const std::string& to);

// Removes a file and syncs its directory; no error where it does not exist. Errors: destination.
Status remove_file(const std::string& path);

}  // namespace piecework::io
