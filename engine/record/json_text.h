// Values of JSON records: names are `key` where they are UTF-8, else `key_base64`; numbers are checked for their range.
#pragma once

#include <concepts>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

namespace piecework::engine {

// {key: text} or {key_base64: ...}.
nlohmann::ordered_json text_or_base64(std::string_view key, std::string_view text);

// The text that text_or_base64() put into `object`. Throws what nlohmann-json throws, and std::invalid_argument.
std::string text_of(const nlohmann::ordered_json& object, const std::string& key);

// The whole number that stands at `key`. nlohmann's get() would cut a number that is too large, and a fraction's
// conversion may be undefined. Throws std::invalid_argument, and what nlohmann-json throws.
template <std::unsigned_integral Number, class Json>
Number number_of(const Json& object, const std::string& key) {
  const Json& value = object.at(key);
  if (!value.is_number_unsigned() || value.template get<uint64_t>() > std::numeric_limits<Number>::max()) {
    throw std::invalid_argument(key + " is no whole number, or too large");
  }
  return value.template get<Number>();
}
template <std::unsigned_integral Number, class Json>
Number number_or(const Json& object, const std::string& key, Number otherwise) {
  return object.contains(key) ? number_of<Number>(object, key) : otherwise;
}

}  // namespace piecework::engine
