#include "engine/deal/big_int.h"

#include <fmt/format.h>

#include <algorithm>

namespace piecework::engine {

std::vector<uint8_t> encode_big_int(AttoFil amount) {
  std::vector<uint8_t> content;
  for (AttoFil::Wide rest = amount.atto(); rest != 0; rest >>= 8) content.push_back(static_cast<uint8_t>(rest));
  if (!content.empty()) content.push_back(0);
  std::ranges::reverse(content);
  return content;
}

Result<AttoFil> decode_big_int(ByteSpan content) {
  const auto corrupt = [](std::string_view what) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kSource, fmt::format("an amount {}", what));
  };
  if (content.empty()) return AttoFil();
  if (content[0] != 0) return corrupt(content[0] == 1 ? "that is negative" : "without a sign byte");
  if (content.size() == 1 || content[1] == 0) return corrupt("with leading zeros");
  AttoFil::Wide atto = 0;
  for (const uint8_t byte : content.subspan(1)) {
    atto = atto << 8 | byte;
    if (atto > AttoFil::max().atto()) return corrupt("of more FIL than can exist");
  }
  return AttoFil(atto);
}

}  // namespace piecework::engine
