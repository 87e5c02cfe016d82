// SHA-256 on the SHA extensions, `kStreams` independent messages interleaved so that one message's rounds fill the
// latency of another's: all rounds of a message are one chain of sha256rnds2, latency 4, and Zen 4 starts one a cycle.
//
// A state is kept the way sha256rnds2 wants it: ABEF in one register, CDGH in the other, high word first. For files
// compiled with SHA-NI and without AVX (see kernels/CMakeLists.txt).
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/sha256/sha256_constants.h"

namespace piecework::kernels {
namespace {

template <size_t kStreams>
struct ShaNiState {
  __m128i abef[kStreams];
  __m128i cdgh[kStreams];
};

// The sixteen words of one block of each stream, four to a register.
template <size_t kStreams>
struct ShaNiMessage {
  __m128i words[kStreams][4];
};

// SHA-NI has legacy SSE encodings only. If the caller left upper register halves dirty, each instruction here would
// merge with them: up to 140 times slower on some CPUs. Every exported function starts with this.
inline void leave_avx_state() { asm volatile("vzeroupper"); }

inline __m128i swap_word_bytes(__m128i words) {
  return _mm_shuffle_epi8(words, _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
}

inline __m128i load_unaligned(const void* source) { return _mm_loadu_si128(static_cast<const __m128i*>(source)); }
inline __m128i load_aligned(const void* source) { return _mm_load_si128(static_cast<const __m128i*>(source)); }
inline void store_unaligned(void* target, __m128i value) { _mm_storeu_si128(static_cast<__m128i*>(target), value); }

inline __m128i initial_abef() {
  const uint32_t* iv = kInitialState.value;
  return _mm_set_epi32(static_cast<int>(iv[0]), static_cast<int>(iv[1]), static_cast<int>(iv[4]),
                       static_cast<int>(iv[5]));
}
inline __m128i initial_cdgh() {
  const uint32_t* iv = kInitialState.value;
  return _mm_set_epi32(static_cast<int>(iv[2]), static_cast<int>(iv[3]), static_cast<int>(iv[6]),
                       static_cast<int>(iv[7]));
}

// The 64 rounds of one block per stream, schedule included. `message` is used up; the caller adds the chaining value.
template <size_t kStreams>
[[gnu::always_inline]] inline void run_rounds(ShaNiState<kStreams>& state, ShaNiMessage<kStreams>& message) {
#pragma GCC unroll 16
  for (size_t group = 0; group < 16; ++group) {  // four rounds each
    const __m128i constants = load_aligned(&kRoundConstants.value[4 * group]);
    __m128i inputs[kStreams];
#pragma GCC unroll 8
    for (size_t s = 0; s < kStreams; ++s) {
      inputs[s] = _mm_add_epi32(message.words[s][group & 3], constants);
      state.cdgh[s] = _mm_sha256rnds2_epu32(state.cdgh[s], state.abef[s], inputs[s]);
    }
    if (group >= 3 && group < 15) {  // words 4 * group + 4 .. + 7, begun two groups ago by sha256msg1
#pragma GCC unroll 8
      for (size_t s = 0; s < kStreams; ++s) {
        const __m128i now = message.words[s][group & 3];
        __m128i& next = message.words[s][(group + 1) & 3];
        next =
            _mm_sha256msg2_epu32(_mm_add_epi32(next, _mm_alignr_epi8(now, message.words[s][(group + 3) & 3], 4)), now);
      }
    }
#pragma GCC unroll 8
    for (size_t s = 0; s < kStreams; ++s) {
      state.abef[s] = _mm_sha256rnds2_epu32(state.abef[s], state.cdgh[s], _mm_shuffle_epi32(inputs[s], 0x0E));
    }
    if (group >= 1 && group < 13) {
#pragma GCC unroll 8
      for (size_t s = 0; s < kStreams; ++s) {
        __m128i& before = message.words[s][(group + 3) & 3];
        before = _mm_sha256msg1_epu32(before, message.words[s][group & 3]);
      }
    }
  }
}

// The 64 rounds of the padding block of a 64-byte message: nothing but rounds, their inputs are constants.
template <size_t kStreams>
[[gnu::always_inline]] inline void run_padding_rounds(ShaNiState<kStreams>& state) {
#pragma GCC unroll 16
  for (size_t group = 0; group < 16; ++group) {
    const uint32_t* inputs = &kPaddingRoundInputs.value[4 * group];
#pragma GCC unroll 8
    for (size_t s = 0; s < kStreams; ++s) {
      state.cdgh[s] = _mm_sha256rnds2_epu32(state.cdgh[s], state.abef[s], load_aligned(inputs));
    }
#pragma GCC unroll 8
    for (size_t s = 0; s < kStreams; ++s) {
      state.abef[s] =
          _mm_sha256rnds2_epu32(state.abef[s], state.cdgh[s], _mm_shuffle_epi32(load_aligned(inputs), 0x0E));
    }
  }
}

template <size_t kStreams>
[[gnu::always_inline]] inline void add_chaining(ShaNiState<kStreams>& state, const ShaNiState<kStreams>& before) {
#pragma GCC unroll 8
  for (size_t s = 0; s < kStreams; ++s) {
    state.abef[s] = _mm_add_epi32(state.abef[s], before.abef[s]);
    state.cdgh[s] = _mm_add_epi32(state.cdgh[s], before.cdgh[s]);
  }
}

// One tree node per stream from its 64-byte message (words in
// big-endian order already), stored 32 bytes apart at `target`.
template <size_t kStreams>
[[gnu::always_inline]] inline void hash_node_messages(uint8_t* target, ShaNiMessage<kStreams>& message) {
  ShaNiState<kStreams> state;
#pragma GCC unroll 8
  for (size_t s = 0; s < kStreams; ++s) {
    state.abef[s] = initial_abef();
    state.cdgh[s] = initial_cdgh();
  }
  run_rounds<kStreams>(state, message);
#pragma GCC unroll 8
  for (size_t s = 0; s < kStreams; ++s) {
    state.abef[s] = _mm_add_epi32(state.abef[s], initial_abef());
    state.cdgh[s] = _mm_add_epi32(state.cdgh[s], initial_cdgh());
  }
  const ShaNiState<kStreams> chaining = state;
  run_padding_rounds<kStreams>(state);
  add_chaining<kStreams>(state, chaining);
#pragma GCC unroll 8
  for (size_t s = 0; s < kStreams; ++s) {
    const __m128i feba = _mm_shuffle_epi32(state.abef[s], 0x1B);
    const __m128i dchg = _mm_shuffle_epi32(state.cdgh[s], 0xB1);
    const __m128i low = swap_word_bytes(_mm_blend_epi16(feba, dchg, 0xF0));
    const __m128i high = swap_word_bytes(_mm_alignr_epi8(dchg, feba, 8));
    const __m128i trunc254 = _mm_set_epi32(0x3FFFFFFF, -1, -1, -1);
    store_unaligned(target + 32 * s, low);
    store_unaligned(target + 32 * s + 16, _mm_and_si128(high, trunc254));
  }
}

// `kStreams` adjacent nodes. Everything is read before anything is written, so target may equal source.
template <size_t kStreams>
[[gnu::always_inline]] inline void hash_adjacent_nodes(uint8_t* target, const uint8_t* source) {
  ShaNiMessage<kStreams> message;
#pragma GCC unroll 8
  for (size_t s = 0; s < kStreams; ++s) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) message.words[s][i] = swap_word_bytes(load_unaligned(source + 64 * s + 16 * i));
  }
  hash_node_messages<kStreams>(target, message);
}

}  // namespace
}  // namespace piecework::kernels
