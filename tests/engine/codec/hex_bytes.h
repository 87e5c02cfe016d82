// Bytes written as hexadecimal digits, for tests of codecs. Aborts on anything else.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "kernels/base/check.h"

namespace piecework::testing {

inline std::vector<uint8_t> hex(std::string_view digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  PIECEWORK_CHECK(digits.size() % 2 == 0);
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i < digits.size(); i += 2) {
    const size_t high = kDigits.find(digits[i]);
    const size_t low = kDigits.find(digits[i + 1]);
    PIECEWORK_CHECK(high < 16 && low < 16);
    bytes.push_back(static_cast<uint8_t>(high << 4 | low));
  }
  return bytes;
}

}  // namespace piecework::testing
