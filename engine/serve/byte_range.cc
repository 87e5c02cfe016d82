#include "engine/serve/byte_range.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace piecework::engine {
namespace {

// Digits only; what is larger than any file counts as the largest number.
std::optional<uint64_t> parse_position(std::string_view text) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc::result_out_of_range ? UINT64_MAX : value;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_bytes_unit(std::string_view unit) {
  constexpr std::string_view kUnit = "bytes";
  return unit.size() == kUnit.size() &&
         std::equal(unit.begin(), unit.end(), kUnit.begin(), [](char a, char b) { return (a | 0x20) == b; });
}

}  // namespace

ByteRangeRequest parse_range_field(std::string_view field, uint64_t length_bytes) {
  using Kind = ByteRangeRequest::Kind;
  const ByteRangeRequest whole{Kind::kWhole, 0, length_bytes};
  const size_t equals = field.find('=');
  if (equals == std::string_view::npos || !is_bytes_unit(trim(field.substr(0, equals)))) return whole;
  const std::string_view range = trim(field.substr(equals + 1));
  const size_t dash = range.find('-');
  if (dash == std::string_view::npos || range.find(',') != std::string_view::npos) return whole;
  const std::string_view first_text = range.substr(0, dash);
  const std::optional<uint64_t> first = parse_position(first_text);
  const std::optional<uint64_t> last = parse_position(range.substr(dash + 1));
  const bool is_open = dash + 1 == range.size();
  if (first_text.empty()) {  // the last bytes
    if (!last) return whole;
    if (*last == 0 || length_bytes == 0) return {Kind::kUnsatisfiable, 0, 0};
    return {Kind::kPart, length_bytes - std::min(*last, length_bytes), length_bytes};
  }
  if (!first || (!is_open && !last) || (last && *last < *first)) return whole;  // malformed: as if it were not there
  if (*first >= length_bytes) return {Kind::kUnsatisfiable, 0, 0};
  return {Kind::kPart, *first, is_open ? length_bytes : std::min(*last, length_bytes - 1) + 1};
}

}  // namespace piecework::engine
