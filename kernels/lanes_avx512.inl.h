// Sixteen 32-bit lanes in AVX-512: the vector type that the lane bodies (sha256_lanes.inl.h, granules_lanes.inl.h) are
// instantiated with. For files compiled with AVX-512 F, BW, VL and DQ; tests also compile it over an emulation.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/force_inline.h"

namespace piecework::kernels {
namespace {

struct Avx512Lanes {
  using Vector = __m512i;
  static constexpr size_t kLanes = 16;
  // 1,900 instructions a node fit the decoded-instruction cache of these processors: 2 % faster than a loop.
  static constexpr bool kUnrolled = true;

  [[gnu::always_inline]] static inline Vector add(Vector x, Vector y) { return _mm512_add_epi32(x, y); }
  // Three-input logic: the immediate is the truth table over (x, y, z).
  [[gnu::always_inline]] static inline Vector exclusive_or(Vector x, Vector y, Vector z) {
    return _mm512_ternarylogic_epi32(x, y, z, 0x96);
  }
  [[gnu::always_inline]] static inline Vector choose(Vector x, Vector y, Vector z) {
    return _mm512_ternarylogic_epi32(x, y, z, 0xCA);
  }
  [[gnu::always_inline]] static inline Vector majority(Vector x, Vector y, Vector z) {
    return _mm512_ternarylogic_epi32(x, y, z, 0xE8);
  }
  template <int kBits>
  [[gnu::always_inline]] static inline Vector rotate_right(Vector x) {
    return _mm512_ror_epi32(x, kBits);
  }
  template <int kBits>
  [[gnu::always_inline]] static inline Vector shift_right(Vector x) {
    return _mm512_srli_epi32(x, kBits);
  }
  // Bits kBits .. kBits + 31 of the 64 bits that `high` and `low` make. VBMI2 has one instruction for it, which would
  // save 0.5 % of a granule and exclude Skylake-SP and Cascade Lake.
  template <int kBits>
  [[gnu::always_inline]] static inline Vector join(Vector low, Vector high) {
    return _mm512_or_si512(_mm512_srli_epi32(low, kBits), _mm512_slli_epi32(high, 32 - kBits));
  }
  [[gnu::always_inline]] static inline Vector bit_and(Vector x, uint32_t mask) {
    return _mm512_and_si512(x, _mm512_set1_epi32(static_cast<int>(mask)));
  }
  [[gnu::always_inline]] static inline Vector broadcast(const uint32_t* word) {
    return _mm512_set1_epi32(static_cast<int>(*word));
  }
  [[gnu::always_inline]] static inline Vector load(const uint32_t* words) { return _mm512_loadu_si512(words); }
  [[gnu::always_inline]] static inline void store(uint32_t* words, Vector x) { _mm512_storeu_si512(words, x); }
  [[gnu::always_inline]] static inline Vector swap_word_bytes(Vector x) {
    return _mm512_shuffle_epi8(x, _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203)));
  }

  // words[i] = the i-th 32-bit word, as stored, of the 64 bytes at address(lane) for each lane.
  template <class Address>
  PIECEWORK_FORCE_INLINE static void load_words(Vector (&words)[16], Address address) {
#pragma GCC unroll 16
    for (size_t lane = 0; lane < kLanes; ++lane) words[lane] = _mm512_loadu_si512(address(lane));
    transpose(words);
  }

  // Lane i of the eight words goes to target + 32 * i, each word big-endian.
  PIECEWORK_FORCE_INLINE static void store_digests(uint8_t* target, const Vector (&words)[8]) {
    Vector pairs[8], quads[8];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      pairs[2 * i] = _mm512_unpacklo_epi32(words[2 * i], words[2 * i + 1]);
      pairs[2 * i + 1] = _mm512_unpackhi_epi32(words[2 * i], words[2 * i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      quads[4 * i] = _mm512_unpacklo_epi64(pairs[4 * i], pairs[4 * i + 2]);
      quads[4 * i + 1] = _mm512_unpackhi_epi64(pairs[4 * i], pairs[4 * i + 2]);
      quads[4 * i + 2] = _mm512_unpacklo_epi64(pairs[4 * i + 1], pairs[4 * i + 3]);
      quads[4 * i + 3] = _mm512_unpackhi_epi64(pairs[4 * i + 1], pairs[4 * i + 3]);
    }
    // 128-bit part p of quads[j] is lane 4 * p + j, words 0..3; of quads[4 + j], words 4..7.
    const Vector parts01 = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
    const Vector parts23 = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      store_halves(target + 32 * j, _mm512_permutex2var_epi64(quads[j], parts01, quads[4 + j]));
      store_halves(target + 32 * (8 + j), _mm512_permutex2var_epi64(quads[j], parts23, quads[4 + j]));
    }
  }

 private:
  // Two digests that are four lanes apart.
  [[gnu::always_inline]] static inline void store_halves(uint8_t* target, Vector words) {
    const Vector bytes = swap_word_bytes(words);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(target), _mm512_castsi512_si256(bytes));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(target + 128), _mm512_extracti64x4_epi64(bytes, 1));
  }

  // A 16 x 16 transpose of words: inside 128-bit parts first, then of the parts.
  PIECEWORK_FORCE_INLINE static void transpose(Vector (&r)[16]) {
    Vector t[16];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
      t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
      r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
      r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
      r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    constexpr int kEven = 0x88;  // parts 0 and 2 of each operand
    constexpr int kOdd = 0xDD;   // parts 1 and 3
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      t[i] = _mm512_shuffle_i32x4(r[i], r[4 + i], kEven);
      t[4 + i] = _mm512_shuffle_i32x4(r[i], r[4 + i], kOdd);
      t[8 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], kEven);
      t[12 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], kOdd);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      r[i] = _mm512_shuffle_i32x4(t[i], t[8 + i], kEven);
      r[8 + i] = _mm512_shuffle_i32x4(t[i], t[8 + i], kOdd);
      r[4 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], kEven);
      r[12 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], kOdd);
    }
  }
};

}  // namespace
}  // namespace piecework::kernels
