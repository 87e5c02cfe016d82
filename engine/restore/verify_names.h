// Names of directory entries that no restore may create. Source: formats.md 11.
#pragma once

#include <optional>
#include <string_view>

#include "engine/codec/dag_pb.h"

namespace piecework::engine {

inline constexpr size_t kNameBytesMax = 255;

// Why `name` cannot be restored: "", ".", "..", a slash, NUL, too long. nullptr where it can.
const char* unsafe_name_reason(std::string_view name);

// A name that occurs twice among a directory's links. Memory: 16 bytes for each link while it looks.
std::optional<std::string_view> repeated_name(const PbLinks& links);

}  // namespace piecework::engine
