// JSON that somebody else wrote: parsed without exceptions, with bounded nesting, and read by functions that give
// nothing where a value is missing or of another kind.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace piecework::engine {

inline constexpr size_t kJsonDepthMax = 32;

// None where `text` is not one JSON value, or nests deeper than kJsonDepthMax. The caller has bounded its length.
std::optional<nlohmann::json> parse_bounded_json(std::string_view text);

// The member `key` of `object`; null where `object` is none or has no such member. Lives as long as `object`.
const nlohmann::json* json_member(const nlohmann::json& object, std::string_view key);
std::optional<std::string> json_text(const nlohmann::json& object, std::string_view key);
std::optional<uint64_t> json_unsigned(const nlohmann::json& object, std::string_view key);
std::optional<int64_t> json_integer(const nlohmann::json& object, std::string_view key);
std::optional<bool> json_boolean(const nlohmann::json& object, std::string_view key);

}  // namespace piecework::engine
