// The names in an output directory that matter to its readers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/error.h"

namespace piecework::io {

// Names in the directory `path` that end in `suffix` and have more than it, in byte order; hidden ones are temporaries
// of pack. Errors (source): of reading; kNotFound.
Result<std::vector<std::string>> list_names(const std::string& path, std::string_view suffix);

}  // namespace piecework::io
