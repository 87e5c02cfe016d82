// The exported SHA-NI functions over sha256_shani.inl.h.
//
// Measured on Zen 4, cycles per node: one stream 173, two 122, three 107, four 101, five 104. Cycles per block of a
// message: one stream 127, two 70, three 61, four 65. A node's second block needs no message registers, so four nodes
// fit where four messages spill. Then the unit itself is busy: 64 sha256rnds2 and 12 each of sha256msg1 and sha256msg2
// a node. Where one sha256rnds2 takes three cycles, two streams are enough and more do no harm.
#include "kernels/sha256/sha256_shani.h"

#include "kernels/sha256/sha256_shani.inl.h"

namespace piecework::kernels {
namespace {

// Lane `lane` of a word-major state as ABEF and CDGH.
[[gnu::always_inline]] inline void load_lane(__m128i& abef, __m128i& cdgh, const uint32_t (*state)[16], size_t lane) {
  const auto word = [state, lane](size_t i) { return static_cast<int>(state[i][lane]); };
  abef = _mm_set_epi32(word(0), word(1), word(4), word(5));
  cdgh = _mm_set_epi32(word(2), word(3), word(6), word(7));
}

[[gnu::always_inline]] inline void store_lane(uint32_t (*state)[16], size_t lane, __m128i abef, __m128i cdgh) {
  state[0][lane] = static_cast<uint32_t>(_mm_extract_epi32(abef, 3));
  state[1][lane] = static_cast<uint32_t>(_mm_extract_epi32(abef, 2));
  state[2][lane] = static_cast<uint32_t>(_mm_extract_epi32(cdgh, 3));
  state[3][lane] = static_cast<uint32_t>(_mm_extract_epi32(cdgh, 2));
  state[4][lane] = static_cast<uint32_t>(_mm_extract_epi32(abef, 1));
  state[5][lane] = static_cast<uint32_t>(_mm_extract_epi32(abef, 0));
  state[6][lane] = static_cast<uint32_t>(_mm_extract_epi32(cdgh, 1));
  state[7][lane] = static_cast<uint32_t>(_mm_extract_epi32(cdgh, 0));
}

// Block `index` of every stream, then the next: the loop that all message hashing ends in.
template <size_t kStreams>
[[gnu::always_inline]] inline void compress_streams(ShaNiState<kStreams>& state, const uint8_t* const* data,
                                                    size_t block_count) {
  for (size_t index = 0; index < block_count; ++index) {
    const ShaNiState<kStreams> chaining = state;
    ShaNiMessage<kStreams> message;
#pragma GCC unroll 8
    for (size_t s = 0; s < kStreams; ++s) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) message.words[s][i] = swap_word_bytes(load_unaligned(data[s] + 64 * index + 16 * i));
    }
    run_rounds<kStreams>(state, message);
    add_chaining<kStreams>(state, chaining);
  }
}

template <size_t kStreams>
void compress_lanes(uint32_t (*state)[16], const uint8_t* const* data, size_t block_count) {
  ShaNiState<kStreams> streams;
  for (size_t s = 0; s < kStreams; ++s) load_lane(streams.abef[s], streams.cdgh[s], state, s);
  compress_streams<kStreams>(streams, data, block_count);
  for (size_t s = 0; s < kStreams; ++s) store_lane(state, s, streams.abef[s], streams.cdgh[s]);
}

}  // namespace

void hash_nodes_shani(uint8_t* target, const uint8_t* source, size_t node_count) noexcept {
  leave_avx_state();
  size_t done = 0;
  for (; done + 4 <= node_count; done += 4) hash_adjacent_nodes<4>(target + 32 * done, source + 64 * done);
  if (done + 2 <= node_count) {
    hash_adjacent_nodes<2>(target + 32 * done, source + 64 * done);
    done += 2;
  }
  if (done < node_count) hash_adjacent_nodes<1>(target + 32 * done, source + 64 * done);
}

void compress_blocks_shani(uint32_t* state, const uint8_t* data, size_t block_count) noexcept {
  leave_avx_state();
  ShaNiState<1> stream;
  const __m128i dcba = load_unaligned(state);
  const __m128i hgfe = load_unaligned(state + 4);
  const __m128i cdab = _mm_shuffle_epi32(dcba, 0xB1);
  const __m128i efgh = _mm_shuffle_epi32(hgfe, 0x1B);
  stream.abef[0] = _mm_alignr_epi8(cdab, efgh, 8);
  stream.cdgh[0] = _mm_blend_epi16(efgh, cdab, 0xF0);
  compress_streams<1>(stream, &data, block_count);
  const __m128i feba = _mm_shuffle_epi32(stream.abef[0], 0x1B);
  const __m128i dchg = _mm_shuffle_epi32(stream.cdgh[0], 0xB1);
  store_unaligned(state, _mm_blend_epi16(feba, dchg, 0xF0));
  store_unaligned(state + 4, _mm_alignr_epi8(dchg, feba, 8));
}

void compress_lanes_shani(uint32_t (*state)[16], const uint8_t* const* data, size_t lane_count,
                          size_t block_count) noexcept {
  leave_avx_state();
  switch (lane_count) {
    case 1:
      return compress_lanes<1>(state, data, block_count);
    case 2:
      return compress_lanes<2>(state, data, block_count);
    default:
      return compress_lanes<3>(state, data, block_count);
  }
}

}  // namespace piecework::kernels
