// Sizes of pieces and of the parts of their trees. Source: formats.md 8 (Fr32 and commP), design.md 2.
//
// Two scales run through the whole program and never mix without a name that says so: *payload* bytes (a CAR as stored)
// and *padded* bytes (after Fr32, 128 for every 127). A piece's padded size is a power of two. Heights count the levels
// above the 32-byte leaves: a leaf has height 0, a piece of 128 padded bytes 2, one of 32 GiB 30.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/base/check.h"
#include "kernels/base/units.h"
#include "kernels/fr32/fr32.h"

namespace piecework::engine {

using kernels::kGranuleBytes;
using kernels::kPaddedQuadBytes;
using kernels::kQuadBytes;

inline constexpr uint64_t kLeafBytes = 32;

// A granule: the smallest part of a segment whose root is kept by itself.
inline constexpr uint64_t kPaddedGranuleBytes = kGranuleBytes / kQuadBytes * kPaddedQuadBytes;
inline constexpr unsigned kGranuleHeight = 5;

// A segment: the unit that is hashed, written, checkpointed and recorded (<piece>.tree has one root for each).
inline constexpr uint64_t kGranulesPerSegment = 1024;
inline constexpr uint64_t kSegmentBytes = kGranulesPerSegment * kGranuleBytes;
inline constexpr uint64_t kPaddedSegmentBytes = kMiB;
inline constexpr unsigned kSegmentHeight = 15;

static_assert(kSegmentBytes == 1'040'384 && kSegmentBytes % 4096 == 0);
static_assert(kSegmentBytes / kQuadBytes * kPaddedQuadBytes == kPaddedSegmentBytes);
static_assert(kLeafBytes << kGranuleHeight == kPaddedGranuleBytes);
static_assert(kLeafBytes << kSegmentHeight == kPaddedSegmentBytes);

// Padded sizes of pieces: the smallest tree is one quad; 64 GiB is the largest sector.
inline constexpr uint64_t kPieceBytesMin = 128;
inline constexpr uint64_t kPieceBytesMax = 64 * kGiB;
// The largest piece that PDP providers take.
inline constexpr uint64_t kPdpPieceBytesMax = kGiB;

// Payload that a piece or subtree of `padded_bytes` holds. REQUIRES: a multiple of 128.
constexpr uint64_t payload_capacity_bytes(uint64_t padded_bytes) {
  return div_exact(padded_bytes, kPaddedQuadBytes) * kQuadBytes;
}
static_assert(payload_capacity_bytes(kPdpPieceBytesMax) == 1'065'353'216);

// The largest payload with a tree in these functions; anything a file system can hold is smaller.
inline constexpr unsigned kTreeHeightMax = 57;
inline constexpr uint64_t kPayloadBytesMax = payload_capacity_bytes(kLeafBytes << kTreeHeightMax);

// Padded size of the smallest piece that holds `payload_bytes`. REQUIRES: at most kPayloadBytesMax.
constexpr uint64_t padded_bytes_for(uint64_t payload_bytes) {
  PIECEWORK_CHECK(payload_bytes <= kPayloadBytesMax);
  const uint64_t quad_count = div_ceil(payload_bytes, kQuadBytes);
  return kPaddedQuadBytes * std::bit_ceil(quad_count == 0 ? 1 : quad_count);
}

// Levels above the leaves of a tree of `padded_bytes`. REQUIRES: a power of two, at least 32.
constexpr unsigned tree_height(uint64_t padded_bytes) {
  PIECEWORK_CHECK(std::has_single_bit(padded_bytes) && padded_bytes >= kLeafBytes);
  return static_cast<unsigned>(std::countr_zero(padded_bytes)) - 5;
}
static_assert(tree_height(kPieceBytesMin) == 2 && tree_height(32 * kGiB) == 30);

// Segments of a payload; an empty one still has its single (zero) segment.
constexpr uint64_t segment_count(uint64_t payload_bytes) {
  return payload_bytes == 0 ? 1 : div_ceil(payload_bytes, kSegmentBytes);
}

// Height of the subtrees that a piece's segments have: kSegmentHeight, or the whole tree's where it is lower.
constexpr unsigned segment_tree_height(uint64_t payload_bytes) {
  const unsigned height = tree_height(padded_bytes_for(payload_bytes));
  return height < kSegmentHeight ? height : kSegmentHeight;
}

}  // namespace piecework::engine
