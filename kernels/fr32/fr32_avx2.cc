// Fr32 (formats.md 8), one 32-byte group at a time: four 64-bit words shifted, joined with the bits that overlap from
// the words before (pad) or after (unpad) by a second load eight bytes away.
#include "kernels/fr32/fr32_avx2.h"

#include <immintrin.h>

#include "kernels/fr32/fr32.h"

namespace piecework::kernels {
namespace {

[[gnu::always_inline]] inline __m256i load(const uint8_t* source) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(source));
}
[[gnu::always_inline]] inline void store(uint8_t* target, __m256i value) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(target), value);
}
[[gnu::always_inline]] inline __m256i low_254_bits(__m256i group) {
  return _mm256_and_si256(group, _mm256_set_epi64x(0x3FFFFFFFFFFFFFFF, -1, -1, -1));
}

template <int kGroup>
[[gnu::always_inline]] inline __m256i pad_group(const uint8_t* source) {
  const uint8_t* bytes = source + 32 * kGroup;
  __m256i group = load(bytes);
  if constexpr (kGroup != 0) {
    group = _mm256_or_si256(_mm256_slli_epi64(group, 2 * kGroup), _mm256_srli_epi64(load(bytes - 8), 64 - 2 * kGroup));
  }
  return low_254_bits(group);
}

template <int kGroup>
[[gnu::always_inline]] inline __m256i unpad_group(const uint8_t* source) {
  const uint8_t* bytes = source + 32 * kGroup;
  // The last word of a group has 62 bits, so the next group begins two bits lower than a word would.
  constexpr int kShift = 64 - 2 * kGroup;
  const __m256i shifts = _mm256_set_epi64x(kShift - 2, kShift, kShift, kShift);  // a shift by 64 gives zero
  return _mm256_or_si256(_mm256_srli_epi64(low_254_bits(load(bytes)), 2 * kGroup),
                         _mm256_sllv_epi64(load(bytes + 8), shifts));
}

}  // namespace

void fr32_pad_wide_avx2(uint8_t* target, const uint8_t* source, size_t quad_count) noexcept {
  for (size_t i = 0; i < quad_count; ++i, target += kPaddedQuadBytes, source += kQuadBytes) {
    store(target, pad_group<0>(source));
    store(target + 32, pad_group<1>(source));
    store(target + 64, pad_group<2>(source));
    store(target + 96, pad_group<3>(source));
  }
}

void fr32_unpad_wide_avx2(uint8_t* target, const uint8_t* source, size_t quad_count) noexcept {
  for (size_t i = 0; i < quad_count; ++i, target += kQuadBytes, source += kPaddedQuadBytes) {
    store(target, unpad_group<0>(source));
    store(target + 32, unpad_group<1>(source));
    store(target + 64, unpad_group<2>(source));
    store(target + 96, unpad_group<3>(source));  // one byte too many: the next quad's first
  }
}

}  // namespace piecework::kernels
