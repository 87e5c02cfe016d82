// Parsing and printing of sizes.
#include "tools/sizes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <charconv>

#include "engine/piece/piece_size.h"
#include "kernels/base/units.h"

namespace piecework::tools {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor_bytes;
};
constexpr std::array<Unit, 6> kUnits{{{"", 1}, {"b", 1}, {"kib", kKiB}, {"mib", kMiB}, {"gib", kGiB}, {"tib", kTiB}}};

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

tl::unexpected<Error> refuse(std::string_view text, std::string_view accepted) {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig, fmt::format("'{}' is not {}", text, accepted));
}

constexpr std::string_view kAcceptedSizes = "a size such as 4096, 256MiB or 32GiB (B, KiB, MiB, GiB, TiB)";

}  // namespace

Result<uint64_t> parse_size(std::string_view text) {
  uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [unit_begin, status] = std::from_chars(text.data(), end, number);
  if (status != std::errc{}) return refuse(text, kAcceptedSizes);
  const std::string unit_name = lower_case({unit_begin, static_cast<size_t>(end - unit_begin)});
  const auto unit = std::ranges::find(kUnits, unit_name, &Unit::name);
  uint64_t size_bytes = 0;
  if (unit == kUnits.end() || __builtin_mul_overflow(number, unit->factor_bytes, &size_bytes))
    return refuse(text, kAcceptedSizes);
  return size_bytes;
}

Result<uint64_t> parse_piece_size(std::string_view text) {
  if (text == "pdp") return engine::kPdpPieceBytesMax;
  const Result<uint64_t> padded_bytes = parse_size(text);
  if (!padded_bytes || !std::has_single_bit(*padded_bytes) || *padded_bytes < engine::kPieceBytesMin ||
      *padded_bytes > engine::kPieceBytesMax)
    return refuse(text, "a piece size: a power of two from 128B to 64GiB, or pdp (1GiB)");
  return *padded_bytes;
}

std::string format_bytes(uint64_t bytes) {
  if (bytes < kKiB) return fmt::format("{} B", bytes);
  constexpr std::array<std::string_view, 5> kNames{"KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t name_index = 0;
  for (; value >= 1023.95 && name_index + 1 < kNames.size(); ++name_index) value /= 1024;
  return fmt::format("{:.1f} {}", value, kNames[name_index]);
}

std::string format_rate(double bytes_per_second) {
  if (bytes_per_second >= 1e9) return fmt::format("{:.2f} GB/s", bytes_per_second / 1e9);
  if (bytes_per_second >= 1e6) return fmt::format("{:.0f} MB/s", bytes_per_second / 1e6);
  return fmt::format("{:.0f} kB/s", bytes_per_second / 1e3);
}

}  // namespace piecework::tools
