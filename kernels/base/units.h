// Sizes and the arithmetic of alignment. Sizes on disk are uint64_t, sizes in memory size_t.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/base/check.h"

namespace piecework {

inline constexpr uint64_t kKiB = uint64_t{1} << 10;
inline constexpr uint64_t kMiB = uint64_t{1} << 20;
inline constexpr uint64_t kGiB = uint64_t{1} << 30;
inline constexpr uint64_t kTiB = uint64_t{1} << 40;

constexpr uint64_t div_ceil(uint64_t value, uint64_t divisor) { return value / divisor + (value % divisor != 0); }
constexpr uint64_t align_up(uint64_t value, uint64_t alignment) { return div_ceil(value, alignment) * alignment; }
constexpr uint64_t align_down(uint64_t value, uint64_t alignment) { return value / alignment * alignment; }

// value / divisor where a remainder would be a programmer's error.
constexpr uint64_t div_exact(uint64_t value, uint64_t divisor) {
  PIECEWORK_CHECK(value % divisor == 0);
  return value / divisor;
}

}  // namespace piecework
