// The granule hash in 8 AVX2 lanes. REQUIRES: cpu_features() has kCpuAvx2.
#pragma once

#include <cstddef>
#include <cstdint>

namespace piecework::kernels {

// `batch_count` * 8 granules, otherwise as hash_granules (fr32.h).
inline constexpr size_t kAvx2GranuleLanes = 8;
void hash_granule_batches_avx2(uint8_t* target, const uint8_t* source, size_t batch_count) noexcept;

}  // namespace piecework::kernels
