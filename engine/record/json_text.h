// Values of JSON records: names are `key` where they are UTF-8, else `key_base64`; numbers are checked for their range.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace piecework::engine {

// {key: text} or {key_base64: ...}.
nlohmann::ordered_json text_or_base64(std::string_view key, std::string_view text);

// The text that text_or_base64() put into `object`. Throws what nlohmann-json throws, and std::invalid_argument.
std::string text_of(const nlohmann::ordered_json& object, const std::string& key);

// The whole number that stands at `key`. nlohmann's get() would cut a number that is too large, and a fraction's
// conversion may be undefined. Throws std::invalid_argument, and what nlohmann-json throws.
uint64_t number_of(const nlohmann::ordered_json& object, const std::string& key, uint64_t number_max);
template <std::unsigned_integral Number>
Number number_of(const nlohmann::ordered_json& object, const std::string& key) {
  return static_cast<Number>(number_of(object, key, std::numeric_limits<Number>::max()));
}
// Where there is no such key, 0.
uint64_t number_or_0(const nlohmann::ordered_json& object, const std::string& key);

}  // namespace piecework::engine
