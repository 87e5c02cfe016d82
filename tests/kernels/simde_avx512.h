// AVX-512 intrinsics by emulation (SIMDe), so that the sixteen-lane kernels are tested on CPUs without AVX-512 too.
//
// Include before any kernel .inl.h: the intrinsics become macros over SIMDe. What SIMDe 0.7.4 lacks is written here, from
// Intel's Intrinsics Guide.
#pragma once

#include <immintrin.h>

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

#include <cstdint>
#include <cstring>

// Vectors wider than this build's registers are passed between functions of one file only.
#pragma GCC diagnostic ignored "-Wpsabi"

// dst[i] = ((b[i] : a[i]) >> bits) & 0xFFFFFFFF
inline simde__m512i emulated_mm512_shrdi_epi32(simde__m512i a, simde__m512i b, int bits) {
  uint32_t low[16], high[16];
  std::memcpy(low, &a, sizeof low);
  std::memcpy(high, &b, sizeof high);
  for (int i = 0; i < 16; ++i) {
    low[i] = static_cast<uint32_t>(((uint64_t{high[i]} << 32) | low[i]) >> (bits & 31));
  }
  simde__m512i result;
  std::memcpy(&result, low, sizeof low);
  return result;
}
#undef _mm512_shrdi_epi32
#define _mm512_shrdi_epi32(a, b, bits) emulated_mm512_shrdi_epi32(a, b, bits)
