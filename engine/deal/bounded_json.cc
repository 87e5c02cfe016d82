#include "engine/deal/bounded_json.h"

namespace piecework::engine {
namespace {

// The parser itself keeps a stack on the heap, but values are walked by recursion elsewhere.
bool is_too_deep(std::string_view text) {
  size_t depth = 0;
  bool is_in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char letter = text[i];
    if (is_in_string) {
      if (letter == '\\') ++i;
      if (letter == '"') is_in_string = false;
    } else if (letter == '"') {
      is_in_string = true;
    } else if (letter == '{' || letter == '[') {
      if (++depth > kJsonDepthMax) return true;
    } else if ((letter == '}' || letter == ']') && depth > 0) {
      --depth;
    }
  }
  return false;
}

}  // namespace

std::optional<nlohmann::json> parse_bounded_json(std::string_view text) {
  if (is_too_deep(text)) return std::nullopt;
  nlohmann::json value = nlohmann::json::parse(text, nullptr, false);
  if (value.is_discarded()) return std::nullopt;
  return value;
}

const nlohmann::json* json_member(const nlohmann::json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

std::optional<std::string> json_text(const nlohmann::json& object, std::string_view key) {
  const nlohmann::json* const value = json_member(object, key);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return value->get<std::string>();
}

std::optional<uint64_t> json_unsigned(const nlohmann::json& object, std::string_view key) {
  const nlohmann::json* const value = json_member(object, key);
  if (value == nullptr || !value->is_number_unsigned()) return std::nullopt;
  return value->get<uint64_t>();
}

std::optional<int64_t> json_integer(const nlohmann::json& object, std::string_view key) {
  const nlohmann::json* const value = json_member(object, key);
  if (value == nullptr || !value->is_number_integer()) return std::nullopt;
  if (value->is_number_unsigned() && value->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
  return value->get<int64_t>();
}

std::optional<bool> json_boolean(const nlohmann::json& object, std::string_view key) {
  const nlohmann::json* const value = json_member(object, key);
  if (value == nullptr || !value->is_boolean()) return std::nullopt;
  return value->get<bool>();
}

}  // namespace piecework::engine
