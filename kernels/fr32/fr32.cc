// Dispatch of Fr32 padding and of the granule hash.
#include "kernels/fr32/fr32.h"

#include <array>

#include "kernels/fr32/fr32_avx2.h"
#include "kernels/fr32/fr32_scalar.h"
#include "kernels/fr32/fr32_variants.h"
#include "kernels/fr32/granules_avx2.h"
#include "kernels/fr32/granules_avx512.h"
#include "kernels/fr32/granules_shani.h"

namespace piecework::kernels {
namespace {

constexpr size_t kNodeBytes = 32;

// The AVX2 loops touch a few bytes beyond a quad; the last quad has no such bytes.
void fr32_pad_avx2(uint8_t* target, const uint8_t* source, size_t quad_count) noexcept {
  if (quad_count == 0) return;
  const size_t wide_count = quad_count - 1;
  fr32_pad_wide_avx2(target, source, wide_count);
  fr32_pad_scalar(target + kPaddedQuadBytes * wide_count, source + kQuadBytes * wide_count, 1);
}

void fr32_unpad_avx2(uint8_t* target, const uint8_t* source, size_t quad_count) noexcept {
  if (quad_count == 0) return;
  const size_t wide_count = quad_count - 1;
  fr32_unpad_wide_avx2(target, source, wide_count);
  fr32_unpad_scalar(target + kQuadBytes * wide_count, source + kPaddedQuadBytes * wide_count, 1);
}

void hash_granules_avx2(uint8_t* target, const uint8_t* source, size_t granule_count) noexcept {
  const size_t batch_count = granule_count / kAvx2GranuleLanes;
  const size_t done = batch_count * kAvx2GranuleLanes;
  if (batch_count != 0) hash_granule_batches_avx2(target, source, batch_count);
  if (done != granule_count) {
    hash_granules_scalar(target + kNodeBytes * done, source + kGranuleBytes * done, granule_count - done);
  }
}

void hash_granules_avx512(uint8_t* target, const uint8_t* source, size_t granule_count) noexcept {
  const size_t batch_count = granule_count / kAvx512GranuleLanes;
  const size_t done = batch_count * kAvx512GranuleLanes;
  if (batch_count != 0) hash_granule_batches_avx512(target, source, batch_count);
  if (done == granule_count) return;
  GranulesFn* const rest = (cpu_features() & kCpuShaNi) != 0 ? hash_granules_shani : hash_granules_avx2;
  rest(target + kNodeBytes * done, source + kGranuleBytes * done, granule_count - done);
}

constexpr Fr32Functions kScalar{fr32_pad_scalar, fr32_unpad_scalar};
constexpr Fr32Functions kAvx2{fr32_pad_avx2, fr32_unpad_avx2};
// No AVX-512: 42 GB/s against 38 in AVX2 (perf.md), and the granule hash does its own Fr32.
constexpr std::array<Variant<const Fr32Functions>, 2> kFr32Variants{{
    {"avx2", kCpuAvx2, &kAvx2},
    {"scalar", kCpuNone, &kScalar},
}};
constexpr std::array<Variant<GranulesFn>, 4> kGranulesVariants{{
    {"avx512", kCpuAvx512 | kCpuAvx2, hash_granules_avx512},
    {"shani", kCpuShaNi, hash_granules_shani},
    {"avx2", kCpuAvx2, hash_granules_avx2},
    {"scalar", kCpuNone, hash_granules_scalar},
}};

constinit VariantTable<const Fr32Functions> fr32_variants{"fr32", kFr32Variants};
constinit VariantTable<GranulesFn> granules_variants{"granules", kGranulesVariants};

}  // namespace

VariantTable<const Fr32Functions>& fr32_table() noexcept { return fr32_variants; }
VariantTable<GranulesFn>& granules_table() noexcept { return granules_variants; }

void fr32_pad(uint8_t* target, const uint8_t* source, size_t quad_count) noexcept {
  fr32_variants.active().fn->pad(target, source, quad_count);
}

void fr32_unpad(uint8_t* target, const uint8_t* source, size_t quad_count) noexcept {
  fr32_variants.active().fn->unpad(target, source, quad_count);
}

void hash_granules(uint8_t* target, const uint8_t* source, size_t granule_count) noexcept {
  granules_variants.active().fn(target, source, granule_count);
}

}  // namespace piecework::kernels
