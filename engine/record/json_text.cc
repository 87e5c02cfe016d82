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

}  // namespace piecework::engine
