// SHA-256 of many messages side by side: lane i of every vector belongs to message i. The body is written once over a
// small vector type (lanes_avx2.inl.h, lanes_avx512.inl.h) and instantiated in the file of each instruction set.
//
// Words are kept lane-wise and in value order, so the digest of one tree level is
// the message of the next without a transpose. Where an instruction set asks for it (Lanes::kUnrolled) all rounds are
// one body; else sixteen are, since more would overflow the decoded-instruction cache.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/force_inline.h"
#include "kernels/sha256/sha256_constants.h"

namespace piecework::kernels {
namespace {

// Hides where a table comes from. Compilers that know it turn each constant into a vector loaded outside the loop, run
// out of registers and spill; from an unknown address they use broadcasts as memory operands.
[[gnu::always_inline]] inline const uint32_t* opaque(const uint32_t* table) {
  asm("" : "+r"(table));
  return table;
}

template <class Lanes>
[[gnu::always_inline]] inline typename Lanes::Vector big_sigma0(typename Lanes::Vector x) {
  return Lanes::exclusive_or(Lanes::template rotate_right<2>(x), Lanes::template rotate_right<13>(x),
                             Lanes::template rotate_right<22>(x));
}
template <class Lanes>
[[gnu::always_inline]] inline typename Lanes::Vector big_sigma1(typename Lanes::Vector x) {
  return Lanes::exclusive_or(Lanes::template rotate_right<6>(x), Lanes::template rotate_right<11>(x),
                             Lanes::template rotate_right<25>(x));
}
template <class Lanes>
[[gnu::always_inline]] inline typename Lanes::Vector small_sigma0(typename Lanes::Vector x) {
  return Lanes::exclusive_or(Lanes::template rotate_right<7>(x), Lanes::template rotate_right<18>(x),
                             Lanes::template shift_right<3>(x));
}
template <class Lanes>
[[gnu::always_inline]] inline typename Lanes::Vector small_sigma1(typename Lanes::Vector x) {
  return Lanes::exclusive_or(Lanes::template rotate_right<17>(x), Lanes::template rotate_right<19>(x),
                             Lanes::template shift_right<10>(x));
}

// Round t of FIPS 180-4, 6.2.2. The variables a..h are not moved: state[(i - t) mod 8] is the i-th of them.
// `sum` is h + K[t] + W[t].
template <class Lanes>
PIECEWORK_FORCE_INLINE void run_round(typename Lanes::Vector (&state)[8], int t, const typename Lanes::Vector& sum) {
  using Vector = typename Lanes::Vector;
  const Vector a = state[(8 - t) & 7], b = state[(9 - t) & 7], c = state[(10 - t) & 7];
  const Vector e = state[(12 - t) & 7], f = state[(13 - t) & 7], g = state[(14 - t) & 7];
  Vector& d = state[(11 - t) & 7];
  Vector& h = state[(15 - t) & 7];
  const Vector t1 = Lanes::add(Lanes::add(sum, Lanes::choose(e, f, g)), big_sigma1<Lanes>(e));
  d = Lanes::add(d, t1);
  h = Lanes::add(Lanes::add(t1, Lanes::majority(a, b, c)), big_sigma0<Lanes>(a));
}

template <class Lanes>
PIECEWORK_FORCE_INLINE void run_round(typename Lanes::Vector (&state)[8], int t, const typename Lanes::Vector& word,
                                      const uint32_t* constant) {
  run_round<Lanes>(state, t, Lanes::add(state[(15 - t) & 7], Lanes::add(word, Lanes::broadcast(constant))));
}

// words[t] becomes the word sixteen rounds on.
template <class Lanes>
PIECEWORK_FORCE_INLINE void extend_word(typename Lanes::Vector (&words)[16], int t) {
  words[t] = Lanes::add(Lanes::add(words[t], small_sigma0<Lanes>(words[(t + 1) & 15])),
                        Lanes::add(words[(t + 9) & 15], small_sigma1<Lanes>(words[(t + 14) & 15])));
}

// Sixteen rounds, and with kExtend the words of the next sixteen.
template <class Lanes, bool kExtend>
PIECEWORK_FORCE_INLINE void run_sixteen_rounds(typename Lanes::Vector (&state)[8], typename Lanes::Vector (&words)[16],
                                               const uint32_t* constants) {
#pragma GCC unroll 16
  for (int t = 0; t < 16; ++t) {
    run_round<Lanes>(state, t, words[t], constants + t);
    if (kExtend) extend_word<Lanes>(words, t);
  }
}

// The first sixteen rounds from the initial state, with what is known of them folded into constants.
template <class Lanes>
PIECEWORK_FORCE_INLINE void run_first_rounds(typename Lanes::Vector (&state)[8], typename Lanes::Vector (&words)[16],
                                             const uint32_t* constants) {
  const uint32_t* initial = opaque(kInitialState.value);
  const uint32_t* folded = opaque(&kFirstRounds.d_after_round0);
#pragma GCC unroll 8
  for (int i = 0; i < 7; ++i) state[i] = Lanes::broadcast(initial + i);
  state[3] = Lanes::add(words[0], Lanes::broadcast(folded));
  state[7] = Lanes::add(words[0], Lanes::broadcast(folded + 1));
  extend_word<Lanes>(words, 0);
#pragma GCC unroll 3
  for (int t = 1; t < 4; ++t) {
    run_round<Lanes>(state, t, Lanes::add(words[t], Lanes::broadcast(folded + 2 + t)));
    extend_word<Lanes>(words, t);
  }
#pragma GCC unroll 12
  for (int t = 4; t < 16; ++t) {
    run_round<Lanes>(state, t, words[t], constants + t);
    extend_word<Lanes>(words, t);
  }
}

// Rounds 16 to 63.
template <class Lanes>
PIECEWORK_FORCE_INLINE void run_later_rounds(typename Lanes::Vector (&state)[8], typename Lanes::Vector (&words)[16],
                                             const uint32_t* constants) {
  if constexpr (Lanes::kUnrolled) {
    run_sixteen_rounds<Lanes, true>(state, words, constants + 16);
    run_sixteen_rounds<Lanes, true>(state, words, constants + 32);
  } else {
#pragma GCC unroll 1
    for (int t = 16; t < 48; t += 16) run_sixteen_rounds<Lanes, true>(state, words, constants + t);
  }
  run_sixteen_rounds<Lanes, false>(state, words, constants + 48);
}

// One block: state += compression(state, words). `words` is used up.
template <class Lanes>
PIECEWORK_FORCE_INLINE void compress_words(typename Lanes::Vector (&state)[8], typename Lanes::Vector (&words)[16]) {
  typename Lanes::Vector chaining[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) chaining[i] = state[i];
  const uint32_t* constants = opaque(kRoundConstants.value);
  if constexpr (Lanes::kUnrolled) {
    run_sixteen_rounds<Lanes, true>(state, words, constants);
    run_later_rounds<Lanes>(state, words, constants);
  } else {
#pragma GCC unroll 1
    for (int t = 0; t < 48; t += 16) run_sixteen_rounds<Lanes, true>(state, words, constants + t);
    run_sixteen_rounds<Lanes, false>(state, words, constants + 48);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) state[i] = Lanes::add(state[i], chaining[i]);
}

// Sixteen rounds of the padding block of a 64-byte message: its words are constants, added to K beforehand.
template <class Lanes>
PIECEWORK_FORCE_INLINE void run_padding_rounds(typename Lanes::Vector (&state)[8], const uint32_t* inputs) {
#pragma GCC unroll 16
  for (int t = 0; t < 16; ++t) {
    run_round<Lanes>(state, t, Lanes::add(state[(15 - t) & 7], Lanes::broadcast(inputs + t)));
  }
}

template <class Lanes>
PIECEWORK_FORCE_INLINE void compress_padding(typename Lanes::Vector (&state)[8]) {
  typename Lanes::Vector chaining[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) chaining[i] = state[i];
  const uint32_t* inputs = opaque(kPaddingRoundInputs.value);
  if constexpr (Lanes::kUnrolled) {
#pragma GCC unroll 4
    for (int t = 0; t < 64; t += 16) run_padding_rounds<Lanes>(state, inputs + t);
  } else {
#pragma GCC unroll 1
    for (int t = 0; t < 64; t += 16) run_padding_rounds<Lanes>(state, inputs + t);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) state[i] = Lanes::add(state[i], chaining[i]);
}

// The tree node over `words`, sixteen words of message: eight words with bits 254 and 255 clear. `words` is used up.
template <class Lanes>
PIECEWORK_FORCE_INLINE void hash_node_words(typename Lanes::Vector (&node)[8], typename Lanes::Vector (&words)[16]) {
  const uint32_t* constants = opaque(kRoundConstants.value);
  run_first_rounds<Lanes>(node, words, constants);
  run_later_rounds<Lanes>(node, words, constants);
  const uint32_t* initial = opaque(kInitialState.value);
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) node[i] = Lanes::add(node[i], Lanes::broadcast(initial + i));
  compress_padding<Lanes>(node);
  // The last byte of a digest is the low byte of its last word.
  node[7] = Lanes::bit_and(node[7], 0xFFFFFF00U | kTrunc254Mask);
}

// Nodes Lanes::kLanes at a time. Each batch is read before it is written, so target may equal source.
template <class Lanes>
inline void hash_node_batches(uint8_t* target, const uint8_t* source, size_t batch_count) {
  using Vector = typename Lanes::Vector;
  for (size_t batch = 0; batch < batch_count; ++batch) {
    Vector words[16];
    Lanes::load_words(words, [source](size_t lane) { return source + 64 * lane; });
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) words[i] = Lanes::swap_word_bytes(words[i]);
    Vector node[8];
    hash_node_words<Lanes>(node, words);
    Lanes::store_digests(target, node);
    source += 64 * Lanes::kLanes;
    target += 32 * Lanes::kLanes;
  }
}

// `block_count` blocks of each lane's message from data[lane]. state[i] holds the i-th word of every lane.
template <class Lanes>
inline void compress_lanes(uint32_t (*state)[16], const uint8_t* const* data, size_t block_count) {
  using Vector = typename Lanes::Vector;
  Vector chaining[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) chaining[i] = Lanes::load(state[i]);
  for (size_t offset_bytes = 0; offset_bytes < 64 * block_count; offset_bytes += 64) {
    Vector words[16];
    Lanes::load_words(words, [data, offset_bytes](size_t lane) { return data[lane] + offset_bytes; });
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) words[i] = Lanes::swap_word_bytes(words[i]);
    compress_words<Lanes>(chaining, words);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) Lanes::store(state[i], chaining[i]);
}

}  // namespace
}  // namespace piecework::kernels
