// Amounts of FIL, in attoFIL (10^-18 FIL): whole numbers only, in text too, since a rounded price is a wrong one.
//
// An amount is at most what can ever exist, 2,000,000,000 FIL; so sums of amounts and their products with a number of
// epochs fit 128 bits, and what would be more is an error instead of a wrapped number.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/base/error.h"

namespace piecework::engine {

class AttoFil {
 public:
  using Wide = unsigned __int128;

  constexpr AttoFil() = default;
  // REQUIRES: atto <= max().
  constexpr explicit AttoFil(Wide atto) : atto_(atto) {}

  // 2 * 10^9 FIL, the most that the network can mint.
  static constexpr AttoFil max() { return AttoFil(Wide{2'000'000'000} * 1'000'000'000 * 1'000'000'000); }

  constexpr Wide atto() const { return atto_; }
  constexpr bool is_zero() const { return atto_ == 0; }
  // Decimal digits, no sign, no unit.
  std::string text() const;

  friend constexpr auto operator<=>(const AttoFil&, const AttoFil&) = default;

 private:
  Wide atto_ = 0;
};

// From 1 to 28 decimal digits without leading zeros. `what` names the amount in messages. Errors: kInvalidArgument
// (config).
Result<AttoFil> parse_atto_fil(std::string_view text, std::string_view what);

// Errors of all: kInvalidArgument (config) where the result is more than max().
Result<AttoFil> add(AttoFil a, AttoFil b);
Result<AttoFil> multiply(AttoFil amount, uint64_t factor);
// amount * numerator / denominator, rounded up. REQUIRES: denominator > 0.
Result<AttoFil> scale_up(AttoFil amount, uint64_t numerator, uint64_t denominator);

}  // namespace piecework::engine
