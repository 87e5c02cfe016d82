// Fr32 padding (127 bytes -> 128) and the fused first levels of a piece's tree. Source: formats.md 8.
//
// Fr32 reads the payload as a little-endian bit stream and stores every 254 bits in 32 bytes. A granule is 1,016
// payload bytes = 8 Fr32 quads = 1,024 padded bytes = 32 leaves; its root is a node five levels above the leaves.
#pragma once

#include <cstddef>
#include <cstdint>

namespace piecework::kernels {

inline constexpr size_t kQuadBytes = 127;
inline constexpr size_t kPaddedQuadBytes = 128;
inline constexpr size_t kGranuleBytes = 1016;

// Pads `quad_count` * 127 bytes into quad_count * 128. REQUIRES: disjoint ranges; no alignment.
void fr32_pad(uint8_t* target, const uint8_t* source, size_t quad_count) noexcept;

// The inverse: quad_count * 128 padded bytes into quad_count * 127. Bits 254 and 255 of each 32 bytes are ignored.
void fr32_unpad(uint8_t* target, const uint8_t* source, size_t quad_count) noexcept;

// The tree root of each of `granule_count` adjacent granules: 32 bytes at `target` for every 1,016 bytes at `source`.
// The padded bytes are never written to memory that outlives the call. REQUIRES: disjoint ranges; no alignment.
void hash_granules(uint8_t* target, const uint8_t* source, size_t granule_count) noexcept;

}  // namespace piecework::kernels
