// The one JSON object that --json puts on standard output. People's text and progress go to stderr.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "kernels/base/error.h"

namespace piecework::tools {

// Keeps the order of the keys as documented.
using Json = nlohmann::ordered_json;

// Sets `path`, or `path_base64` where the name is not UTF-8, in `object`.
void set_path(Json& object, std::string_view path);

// Prints `object` and a newline on standard output. Errors: destination, where standard output cannot take it.
Status print_json(const Json& object);

// Prints `text` on standard output, unchanged. Errors as above.
Status print_text(std::string_view text);

}  // namespace piecework::tools
