// Eight 32-bit lanes in AVX2: the vector type that the lane bodies (sha256_lanes.inl.h, granules_lanes.inl.h) are
// instantiated with. For files compiled with AVX2.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/force_inline.h"

namespace piecework::kernels {
namespace {

struct Avx2Lanes {
  using Vector = __m256i;
  static constexpr size_t kLanes = 8;
  static constexpr bool kUnrolled = false;

  [[gnu::always_inline]] static inline Vector add(Vector x, Vector y) { return _mm256_add_epi32(x, y); }
  [[gnu::always_inline]] static inline Vector exclusive_or(Vector x, Vector y, Vector z) {
    return _mm256_xor_si256(_mm256_xor_si256(x, y), z);
  }
  [[gnu::always_inline]] static inline Vector choose(Vector x, Vector y, Vector z) {
    return _mm256_xor_si256(z, _mm256_and_si256(x, _mm256_xor_si256(y, z)));
  }
  [[gnu::always_inline]] static inline Vector majority(Vector x, Vector y, Vector z) {
    return _mm256_or_si256(_mm256_and_si256(x, y), _mm256_and_si256(z, _mm256_or_si256(x, y)));
  }
  template <int kBits>
  [[gnu::always_inline]] static inline Vector rotate_right(Vector x) {
    return join<kBits>(x, x);
  }
  template <int kBits>
  [[gnu::always_inline]] static inline Vector shift_right(Vector x) {
    return _mm256_srli_epi32(x, kBits);
  }
  // Bits kBits .. kBits + 31 of the 64 bits that `high` and `low` make.
  template <int kBits>
  [[gnu::always_inline]] static inline Vector join(Vector low, Vector high) {
    return _mm256_or_si256(_mm256_srli_epi32(low, kBits), _mm256_slli_epi32(high, 32 - kBits));
  }
  [[gnu::always_inline]] static inline Vector bit_and(Vector x, uint32_t mask) {
    return _mm256_and_si256(x, _mm256_set1_epi32(static_cast<int>(mask)));
  }
  [[gnu::always_inline]] static inline Vector broadcast(const uint32_t* word) {
    return _mm256_set1_epi32(static_cast<int>(*word));
  }
  [[gnu::always_inline]] static inline Vector load(const uint32_t* words) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
  }
  [[gnu::always_inline]] static inline void store(uint32_t* words, Vector x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(words), x);
  }
  [[gnu::always_inline]] static inline Vector swap_word_bytes(Vector x) {
    return _mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203)));
  }

  // words[i] = the i-th 32-bit word, as stored, of the 64 bytes at address(lane) for each lane.
  template <class Address>
  PIECEWORK_FORCE_INLINE static void load_words(Vector (&words)[16], Address address) {
#pragma GCC unroll 4
    for (size_t part = 0; part < 4; ++part) {  // 16 bytes of every lane: four words
      Vector rows[4];
#pragma GCC unroll 4
      for (size_t i = 0; i < 4; ++i) rows[i] = load_halves(address(i) + 16 * part, address(i + 4) + 16 * part);
      transpose(rows);
#pragma GCC unroll 4
      for (size_t i = 0; i < 4; ++i) words[4 * part + i] = rows[i];
    }
  }

  // Lane i of the eight words goes to target + 32 * i, each word big-endian.
  PIECEWORK_FORCE_INLINE static void store_digests(uint8_t* target, const Vector (&words)[8]) {
    Vector low[4] = {words[0], words[1], words[2], words[3]};
    Vector high[4] = {words[4], words[5], words[6], words[7]};
    transpose(low);
    transpose(high);
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; ++i) {
      store_bytes(target + 32 * i, _mm256_permute2x128_si256(low[i], high[i], 0x20));
      store_bytes(target + 32 * (i + 4), _mm256_permute2x128_si256(low[i], high[i], 0x31));
    }
  }

 private:
  [[gnu::always_inline]] static inline Vector load_halves(const uint8_t* low, const uint8_t* high) {
    const __m128i low_half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(low));
    const __m128i high_half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(high));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low_half), high_half, 1);
  }
  [[gnu::always_inline]] static inline void store_bytes(uint8_t* target, Vector words) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(target), swap_word_bytes(words));
  }
  // A 4 x 4 transpose of words inside each half.
  PIECEWORK_FORCE_INLINE static void transpose(Vector (&r)[4]) {
    const Vector low01 = _mm256_unpacklo_epi32(r[0], r[1]);
    const Vector high01 = _mm256_unpackhi_epi32(r[0], r[1]);
    const Vector low23 = _mm256_unpacklo_epi32(r[2], r[3]);
    const Vector high23 = _mm256_unpackhi_epi32(r[2], r[3]);
    r[0] = _mm256_unpacklo_epi64(low01, low23);
    r[1] = _mm256_unpackhi_epi64(low01, low23);
    r[2] = _mm256_unpacklo_epi64(high01, high23);
    r[3] = _mm256_unpackhi_epi64(high01, high23);
  }
};

}  // namespace
}  // namespace piecework::kernels
