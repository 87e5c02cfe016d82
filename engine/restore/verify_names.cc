// See verify_names.h.
#include "engine/restore/verify_names.h"

#include <algorithm>
#include <vector>

namespace piecework::engine {

const char* unsafe_name_reason(std::string_view name) {
  if (name.empty()) return "empty name";
  if (name == "." || name == "..") return "name of a directory itself";
  if (name.find('/') != std::string_view::npos) return "name with a slash";
  if (name.find('\0') != std::string_view::npos) return "name with a NUL byte";
  if (name.size() > kNameBytesMax) return "name longer than 255 bytes";
  return nullptr;
}

std::optional<std::string_view> repeated_name(const PbLinks& links) {
  std::vector<std::string_view> names;
  bool is_ascending = true;
  for (const PbLink& link : links) {
    is_ascending = is_ascending && (names.empty() || names.back() < link.name);
    names.push_back(link.name);
  }
  if (is_ascending) return std::nullopt;  // as every encoder writes them
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return std::nullopt;
  return *twice;
}

}  // namespace piecework::engine
