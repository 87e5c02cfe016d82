// Names in JSON records: `key` where they are UTF-8, else `key_base64`.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace piecework::engine {

// {key: text} or {key_base64: ...}.
nlohmann::ordered_json text_or_base64(std::string_view key, std::string_view text);

// The text that text_or_base64() put into `object`. Throws what nlohmann-json throws, and std::invalid_argument.
std::string text_of(const nlohmann::ordered_json& object, const std::string& key);

}  // namespace piecework::engine
