// The granule hash with four interleaved SHA-NI messages. Fr32 happens on the way into the registers: each half of a
// quad is one node's message, made by two shifts of overlapping loads. Four granules go up together, so that even the
// roots are four messages; their first level, 2 KiB, is all that is stored.
#include "kernels/fr32/granules_shani.h"

#include <cstring>

#include "kernels/fr32/fr32.h"
#include "kernels/sha256/sha256_shani.inl.h"

namespace piecework::kernels {
namespace {

constexpr size_t kGranuleQuads = kGranuleBytes / kQuadBytes;
constexpr size_t kLevel1Nodes = 2 * kGranuleQuads;  // of one granule
constexpr size_t kNodeBytes = 32;

constexpr size_t kGroupGranules = 4;

// 16 bytes of the payload moved up by kShift bits: those at `source`, and below them the top bits of source[-1].
template <int kShift>
[[gnu::always_inline]] inline __m128i load_shifted(const uint8_t* source, __m128i bytes) {
  if constexpr (kShift == 0) return bytes;
  return _mm_or_si128(_mm_slli_epi64(bytes, kShift), _mm_srli_epi64(load_unaligned(source - 8), 64 - kShift));
}

// Leaf kLeaf of the quad at `source`: payload bits 254 * kLeaf and on, in two registers, as words in value order.
template <int kLeaf>
[[gnu::always_inline]] inline void load_leaf(__m128i* words, const uint8_t* source) {
  const __m128i low254 = _mm_set_epi32(0x3FFFFFFF, -1, -1, -1);
  const uint8_t* low = source + 32 * kLeaf;
  const uint8_t* high = low + 16;
  // The last 16 bytes of a padded quad would begin one byte too late: load from a byte before and move down.
  const __m128i high_bytes = kLeaf == 3 ? _mm_srli_si128(load_unaligned(high - 1), 1) : load_unaligned(high);
  words[0] = swap_word_bytes(load_shifted<2 * kLeaf>(low, load_unaligned(low)));
  words[1] = swap_word_bytes(_mm_and_si128(load_shifted<2 * kLeaf>(high, high_bytes), low254));
}

// Two quads: four nodes of level 1.
[[gnu::always_inline]] inline void hash_two_quads(uint8_t* target, const uint8_t* source) {
  ShaNiMessage<4> message;
#pragma GCC unroll 2
  for (int quad = 0; quad < 2; ++quad) {
    const uint8_t* bytes = source + kQuadBytes * static_cast<size_t>(quad);
    load_leaf<0>(&message.words[2 * quad][0], bytes);
    load_leaf<1>(&message.words[2 * quad][2], bytes);
    load_leaf<2>(&message.words[2 * quad + 1][0], bytes);
    load_leaf<3>(&message.words[2 * quad + 1][2], bytes);
  }
  hash_node_messages<4>(target, message);
}

// The nodes of the next level over `node_count` * 2 nodes at `nodes`,
// in place. Not inlined: one copy of the code for all levels.
[[gnu::noinline]] void hash_level(uint8_t* nodes, size_t node_count) {
  size_t done = 0;
  for (; done + 4 <= node_count; done += 4) {
    hash_adjacent_nodes<4>(nodes + kNodeBytes * done, nodes + 2 * kNodeBytes * done);
  }
  for (; done < node_count; ++done) {
    hash_adjacent_nodes<1>(nodes + kNodeBytes * done, nodes + 2 * kNodeBytes * done);
  }
}

// The roots of up to kGroupGranules adjacent granules.
void hash_granule_group(uint8_t* target, const uint8_t* source, size_t granule_count) {
  alignas(16) uint8_t nodes[kGroupGranules * kLevel1Nodes * kNodeBytes];
  const size_t quad_count = granule_count * kGranuleQuads;
  for (size_t quad = 0; quad < quad_count; quad += 2) {
    hash_two_quads(nodes + 2 * kNodeBytes * quad, source + kQuadBytes * quad);
  }
  for (size_t width = kLevel1Nodes / 2; width > 0; width /= 2) hash_level(nodes, granule_count * width);
  std::memcpy(target, nodes, granule_count * kNodeBytes);
}

}  // namespace

void hash_granules_shani(uint8_t* target, const uint8_t* source, size_t granule_count) noexcept {
  leave_avx_state();
  while (granule_count > 0) {
    const size_t group = granule_count < kGroupGranules ? granule_count : kGroupGranules;
    hash_granule_group(target, source, group);
    target += kNodeBytes * group;
    source += kGranuleBytes * group;
    granule_count -= group;
  }
}

}  // namespace piecework::kernels
