// The granule hash in 16 AVX-512 lanes. REQUIRES: cpu_features() has kCpuAvx512.
#pragma once

#include <cstddef>
#include <cstdint>

namespace piecework::kernels {

// `batch_count` * 16 granules, otherwise as hash_granules (fr32.h).
inline constexpr size_t kAvx512GranuleLanes = 16;
void hash_granule_batches_avx512(uint8_t* target, const uint8_t* source, size_t batch_count) noexcept;

}  // namespace piecework::kernels
