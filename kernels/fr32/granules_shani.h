// The granule hash on the SHA extensions. REQUIRES: cpu_features() has kCpuShaNi.
#pragma once

#include <cstddef>
#include <cstdint>

namespace piecework::kernels {

// As hash_granules (fr32.h).
void hash_granules_shani(uint8_t* target, const uint8_t* source, size_t granule_count) noexcept;

}  // namespace piecework::kernels
