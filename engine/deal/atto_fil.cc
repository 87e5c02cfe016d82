#include "engine/deal/atto_fil.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/check.h"

namespace piecework::engine {
namespace {

using Wide = AttoFil::Wide;

constexpr size_t kDigitsMax = 28;  // of max()
static_assert(AttoFil::max().atto() < Wide{1} << 91);

tl::unexpected<Error> too_much() {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              fmt::format("an amount of more than {} attoFIL: there will never be as much", AttoFil::max().text()));
}

Result<AttoFil> checked(Wide atto) {
  if (atto > AttoFil::max().atto()) return too_much();
  return AttoFil(atto);
}

}  // namespace

std::string AttoFil::text() const {
  std::string digits;
  Wide rest = atto_;
  do {
    digits += static_cast<char>('0' + static_cast<int>(rest % 10));
    rest /= 10;
  } while (rest != 0);
  std::reverse(digits.begin(), digits.end());
  return digits;
}

Result<AttoFil> parse_atto_fil(std::string_view text, std::string_view what) {
  const bool is_number = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos &&
                         (text.size() == 1 || text.front() != '0');
  if (!is_number) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("{}: expected a whole number of attoFIL in decimal digits, found '{}'", what,
                            printable(text.substr(0, 40))));
  }
  if (text.size() > kDigitsMax) return too_much();
  Wide atto = 0;
  for (const char digit : text) atto = atto * 10 + static_cast<Wide>(digit - '0');
  return checked(atto);
}

Result<AttoFil> add(AttoFil a, AttoFil b) { return checked(a.atto() + b.atto()); }

Result<AttoFil> multiply(AttoFil amount, uint64_t factor) {
  if (factor != 0 && amount.atto() > AttoFil::max().atto() / factor) return too_much();
  return checked(amount.atto() * factor);
}

Result<AttoFil> scale_up(AttoFil amount, uint64_t numerator, uint64_t denominator) {
  PIECEWORK_CHECK(denominator > 0);
  // amount = whole * denominator + rest; rest * numerator fits 128 bits, being a product of two 64-bit numbers.
  const Wide whole = amount.atto() / denominator;
  const Wide rest = amount.atto() % denominator;
  const Wide below = rest * numerator;
  if (numerator != 0 && whole > AttoFil::max().atto() / numerator) return too_much();
  return checked(whole * numerator + below / denominator + (below % denominator != 0 ? 1 : 0));
}

}  // namespace piecework::engine
