// AVX-512 intrinsics by emulation (SIMDe), so that the sixteen-lane kernels are tested on CPUs without AVX-512 too.
//
// Include before anything else: the intrinsics become macros over SIMDe, and kernel bodies become calls.
#pragma once

// Vectors wider than this build's registers are passed between functions of one file only.
#pragma GCC diagnostic ignored "-Wpsabi"

#include <immintrin.h>

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

// Calls instead of inlined bodies: seconds instead of minutes to compile.
#define PIECEWORK_FORCE_INLINE [[gnu::noinline]]
