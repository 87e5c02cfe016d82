// Inlining of whole kernel bodies, which take their vectors by reference: without it these would go through memory.
//
// A macro because tests/kernels/simde_avx512.h turns it off:
// emulated instructions, all inlined, take minutes to compile.
#pragma once

#ifndef PIECEWORK_FORCE_INLINE
#define PIECEWORK_FORCE_INLINE [[gnu::always_inline]] inline
#endif
