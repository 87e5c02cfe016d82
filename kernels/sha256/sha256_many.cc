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

// Sixteen lanes of which nine or more are live beat SHA-NI streams; fewer do not (perf.md).
void hash_many_avx512(std::span<const HashJob> jobs) noexcept {
  hash_many_in_lanes(jobs, {.wide = compress_lanes_avx512,
                            .wide_lanes = kAvx512Lanes,
                            .wide_lanes_min = 9,
                            .narrow = compress_lanes_shani,
                            .narrow_lanes = kShaNiLanes});
}

void hash_many_shani(std::span<const HashJob> jobs) noexcept {
  hash_many_in_lanes(jobs, {.wide = compress_lanes_shani,
                            .wide_lanes = kShaNiLanes,
                            .wide_lanes_min = 1,
                            .narrow = compress_lanes_shani,
                            .narrow_lanes = kShaNiLanes});
}

void hash_many_avx2(std::span<const HashJob> jobs) noexcept {
  hash_many_in_lanes(jobs, {.wide = compress_lanes_avx2,
                            .wide_lanes = kAvx2Lanes,
                            .wide_lanes_min = 3,
                            .narrow = compress_lane_scalar,
                            .narrow_lanes = 1});
}

constexpr std::array<Variant<ManyFn>, 4> kVariants{{
    {"avx512", kCpuAvx512 | kCpuShaNi, hash_many_avx512},  // every CPU with VBMI2 has the SHA extensions
    {"shani", kCpuShaNi, hash_many_shani},
    {"avx2", kCpuAvx2, hash_many_avx2},
    {"scalar", kCpuNone, hash_many_scalar},
}};
constinit VariantTable<ManyFn> table{"sha256_many", kVariants};

}  // namespace

VariantTable<ManyFn>& many_table() noexcept { return table; }

void hash_many(std::span<const HashJob> jobs) noexcept { table.active().fn(jobs); }

}  // namespace piecework::kernels
