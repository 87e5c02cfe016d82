#include "engine/record/json_text.h"

#include <optional>
#include <stdexcept>

#include "kernels/base/text.h"

namespace piecework::engine {

nlohmann::ordered_json text_or_base64(std::string_view key, std::string_view text) {
  auto object = nlohmann::ordered_json::object();
  if (is_utf8(text)) {
    object[std::string(key)] = text;
  } else {
    object[std::string(key) + "_base64"] = base64(as_bytes(text));
  }
  return object;
}

std::string text_of(const nlohmann::ordered_json& object, const std::string& key) {
  const auto encoded = object.find(key + "_base64");
  if (encoded == object.end()) return object.at(key).get<std::string>();
  std::optional<std::string> bytes = decode_base64(encoded->get<std::string>());
  if (!bytes) throw std::invalid_argument(key + "_base64 is not base64");
  return std::move(*bytes);
}

uint64_t number_of(const nlohmann::ordered_json& object, const std::string& key, uint64_t number_max) {
  const nlohmann::ordered_json& value = object.at(key);
  if (!value.is_number_unsigned() || value.get<uint64_t>() > number_max) {
    throw std::invalid_argument(key + " is no whole number, or too large");
  }
  return value.get<uint64_t>();
}

uint64_t number_or_0(const nlohmann::ordered_json& object, const std::string& key) {
  return object.contains(key) ? number_of<uint64_t>(object, key) : 0;
}

}  // namespace piecework::engine
