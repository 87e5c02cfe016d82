// Dispatch of hash_many: which kernels the lane scheduler runs on.
#include <array>

#include "kernels/sha256/sha256.h"
#include "kernels/sha256/sha256_avx2.h"
#include "kernels/sha256/sha256_avx512.h"
#include "kernels/sha256/sha256_multibuffer.h"
#include "kernels/sha256/sha256_scalar.h"
#include "kernels/sha256/sha256_shani.h"
#include "kernels/sha256/sha256_variants.h"

namespace piecework::kernels {
namespace {

void compress_lane_scalar(uint32_t (*state)[kLanesMax], const uint8_t* const* data, size_t,
                          size_t block_count) noexcept {
  uint32_t words[8];
  for (size_t i = 0; i < 8; ++i) words[i] = state[i][0];
  compress_blocks_scalar(words, data[0], block_count);
  for (size_t i = 0; i < 8; ++i) state[i][0] = words[i];
}

constexpr LaneKernels kShaNiStreams{.wide = compress_lanes_shani,
                                    .wide_lanes = kShaNiLanes,
                                    .wide_lanes_min = 1,
                                    .narrow = compress_lanes_shani,
                                    .narrow_lanes = kShaNiLanes};

// A step of eight AVX2 or sixteen AVX-512 lanes costs about one and a half blocks of the scalar version.
constexpr LaneKernels kAvx2OverScalar{.wide = compress_lanes_avx2,
                                      .wide_lanes = kAvx2Lanes,
                                      .wide_lanes_min = 2,
                                      .narrow = compress_lane_scalar,
                                      .narrow_lanes = 1};

// Sixteen lanes beat SHA-NI streams from nine live ones on (perf.md).
constexpr LaneKernels kAvx512OverShaNi{.wide = compress_lanes_avx512,
                                       .wide_lanes = kAvx512Lanes,
                                       .wide_lanes_min = 9,
                                       .narrow = compress_lanes_shani,
                                       .narrow_lanes = kShaNiLanes};

constexpr LaneKernels kAvx512OverScalar{.wide = compress_lanes_avx512,
                                        .wide_lanes = kAvx512Lanes,
                                        .wide_lanes_min = 2,
                                        .narrow = compress_lane_scalar,
                                        .narrow_lanes = 1};

void hash_many_shani(std::span<const HashJob> jobs) noexcept { hash_many_in_lanes(jobs, kShaNiStreams); }
void hash_many_avx2(std::span<const HashJob> jobs) noexcept { hash_many_in_lanes(jobs, kAvx2OverScalar); }
void hash_many_avx512(std::span<const HashJob> jobs) noexcept {
  hash_many_in_lanes(jobs, (cpu_features() & kCpuShaNi) != 0 ? kAvx512OverShaNi : kAvx512OverScalar);
}

constexpr std::array<Variant<ManyFn>, 4> kVariants{{
    {"avx512", kCpuAvx512, hash_many_avx512},
    {"shani", kCpuShaNi, hash_many_shani},
    {"avx2", kCpuAvx2, hash_many_avx2},
    {"scalar", kCpuNone, hash_many_scalar},
}};
constinit VariantTable<ManyFn> table{"sha256_many", kVariants};

}  // namespace

VariantTable<ManyFn>& many_table() noexcept { return table; }

void hash_many(std::span<const HashJob> jobs) noexcept { table.active().fn(jobs); }

}  // namespace piecework::kernels
