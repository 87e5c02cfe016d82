// The granule hash in lanes: one granule per lane, Fr32 in registers and the five tree levels above it, words kept
// lane-wise from the payload to the roots. Nothing padded is ever stored as bytes.
//
// A level is finished before the next begins: its nodes do not depend on each other, so the end of one overlaps the
// start of the next; hashing a parent right after its children would wait for them every time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/force_inline.h"
#include "kernels/fr32/fr32.h"
#include "kernels/sha256/sha256_lanes.inl.h"

namespace piecework::kernels {
namespace {

// A node of every lane. Two adjacent ones are the message of their parent.
template <class Lanes>
struct LaneNode {
  typename Lanes::Vector words[8];
};

inline constexpr size_t kGranuleQuads = kGranuleBytes / kQuadBytes;
inline constexpr size_t kGranuleLevel1Nodes = 2 * kGranuleQuads;

// The four leaves that Fr32 makes of the 127 bytes at address(lane) of every lane, each word big-endian in value order.
//
// Leaf g holds payload bits 254 * g .. 254 * g + 253 (formats.md 8). The second load begins at byte 63, so that it ends
// with the quad; relative to it, leaf 2 begins at bit 4 and leaf 3 at bit 258.
template <class Lanes, class Address>
PIECEWORK_FORCE_INLINE void load_leaves(LaneNode<Lanes> (&leaves)[4], Address address) {
  using Vector = typename Lanes::Vector;
  constexpr uint32_t kLow30Bits = 0x3FFFFFFF;
  Vector w[16];
  Lanes::load_words(w, address);
#pragma GCC unroll 7
  for (int i = 0; i < 7; ++i) {
    leaves[0].words[i] = Lanes::swap_word_bytes(w[i]);
    leaves[1].words[i] = Lanes::swap_word_bytes(Lanes::template join<30>(w[i + 7], w[i + 8]));
  }
  leaves[0].words[7] = Lanes::swap_word_bytes(Lanes::bit_and(w[7], kLow30Bits));
  // Bits 478 .. 507: the last two bits of the 32 belong to leaf 2.
  leaves[1].words[7] = Lanes::swap_word_bytes(Lanes::bit_and(Lanes::template join<30>(w[14], w[15]), kLow30Bits));

  Lanes::load_words(w, [address](size_t lane) { return address(lane) + 63; });
#pragma GCC unroll 7
  for (int i = 0; i < 7; ++i) {
    leaves[2].words[i] = Lanes::swap_word_bytes(Lanes::template join<4>(w[i], w[i + 1]));
    leaves[3].words[i] = Lanes::swap_word_bytes(Lanes::template join<2>(w[i + 8], w[i + 9]));
  }
  leaves[2].words[7] = Lanes::swap_word_bytes(Lanes::bit_and(Lanes::template join<4>(w[7], w[8]), kLow30Bits));
  leaves[3].words[7] = Lanes::swap_word_bytes(Lanes::template shift_right<2>(w[15]));
}

// parent = node over children[0] and children[1]. `parent` may be children[0]. Not inlined: its code fills half of the
// first-level instruction cache.
template <class Lanes>
[[gnu::noinline]] void hash_pair(LaneNode<Lanes>& parent, const LaneNode<Lanes>* children) {
  using Vector = typename Lanes::Vector;
  Vector words[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) words[i] = children[i / 8].words[i % 8];
  Vector node[8];
  hash_node_words<Lanes>(node, words);
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) parent.words[i] = node[i];
}

// The two cache lines of a quad that hold most of it, for every lane. Processors follow few streams inside one page,
// and a batch has several there: asked for a batch ahead, payload that comes from memory costs 5 % less.
template <class Lanes>
PIECEWORK_FORCE_INLINE void prefetch_quads(const uint8_t* first_lane) {
  constexpr size_t kCacheLineBytes = 64;
#pragma GCC unroll 16
  for (size_t lane = 0; lane < Lanes::kLanes; ++lane) {
    __builtin_prefetch(first_lane + kGranuleBytes * lane);
    __builtin_prefetch(first_lane + kGranuleBytes * lane + kCacheLineBytes);
  }
}

// The roots of Lanes::kLanes adjacent granules; `next` is the batch to be hashed after them.
template <class Lanes>
inline void hash_granule_batch(uint8_t* target, const uint8_t* source, const uint8_t* next) {
  LaneNode<Lanes> nodes[kGranuleLevel1Nodes];
  for (size_t quad = 0; quad < kGranuleQuads; ++quad) {
    LaneNode<Lanes> leaves[4];
    const uint8_t* first_lane = source + kQuadBytes * quad;
    prefetch_quads<Lanes>(next + kQuadBytes * quad);
    load_leaves<Lanes>(leaves, [first_lane](size_t lane) { return first_lane + kGranuleBytes * lane; });
    hash_pair<Lanes>(nodes[2 * quad], &leaves[0]);
    hash_pair<Lanes>(nodes[2 * quad + 1], &leaves[2]);
  }
  for (size_t width = kGranuleLevel1Nodes / 2; width > 0; width /= 2) {
    for (size_t i = 0; i < width; ++i) hash_pair<Lanes>(nodes[i], &nodes[2 * i]);
  }
  Lanes::store_digests(target, nodes[0].words);
}

template <class Lanes>
inline void hash_granule_batches(uint8_t* target, const uint8_t* source, size_t batch_count) {
  for (size_t batch = 0; batch < batch_count; ++batch) {
    const uint8_t* next = batch + 1 < batch_count ? source + kGranuleBytes * Lanes::kLanes : source;
    hash_granule_batch<Lanes>(target, source, next);
    target += 32 * Lanes::kLanes;
    source = next;
  }
}

}  // namespace
}  // namespace piecework::kernels
