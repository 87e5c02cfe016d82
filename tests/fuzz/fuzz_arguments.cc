// What the command line and HTTP requests say about sizes and ranges: refused, or inside its bounds and read again from
// what it was written as.
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/serve/byte_range.h"
#include "kernels/base/check.h"
#include "kernels/base/units.h"
#include "tools/sizes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t data_bytes) {
  using namespace piecework;
  const std::string_view text(reinterpret_cast<const char*>(data), data_bytes);
  const Result<uint64_t> size = tools::parse_size(text);
  if (size) PIECEWORK_CHECK(tools::parse_size(std::to_string(*size)).value() == *size);
  const Result<uint64_t> piece = tools::parse_piece_size(text);
  if (piece) PIECEWORK_CHECK(std::has_single_bit(*piece) && *piece >= 128 && *piece <= 64 * kGiB);
  for (const uint64_t length_bytes : {uint64_t{0}, uint64_t{1}, uint64_t{1000}, ~uint64_t{0}}) {
    const engine::ByteRangeRequest range = engine::parse_range_field(text, length_bytes);
    if (range.kind != engine::ByteRangeRequest::Kind::kPart) continue;
    PIECEWORK_CHECK(range.begin_bytes < range.end_bytes && range.end_bytes <= length_bytes);
  }
  return 0;
}
