// A small file that others read while it is replaced: they find the old text or the new one, whole.
#pragma once

#include <string>
#include <string_view>

#include "kernels/base/error.h"

namespace piecework::tools {

// Writes `text` to a temporary name beside `path` and renames it over `path`. Not synced: after a power cut the old
// text may be back. What exists under `path` and is no regular file (a device, a directory) is refused. Errors:
// destination; the old text is then untouched and no temporary is left.
Status replace_file(const std::string& path, std::string_view text);

}  // namespace piecework::tools
