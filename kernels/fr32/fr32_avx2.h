// Fr32 in AVX2. REQUIRES (both): cpu_features() has kCpuAvx2.
#pragma once

#include <cstddef>
#include <cstdint>

namespace piecework::kernels {

// As fr32_pad and fr32_unpad (fr32.h), but wider than a quad: besides what they may touch, each call reads up to 8
// bytes after the source and writes one byte after the target. fr32.cc leaves the last quad to the scalar version.
void fr32_pad_wide_avx2(uint8_t* target, const uint8_t* source, size_t quad_count) noexcept;
void fr32_unpad_wide_avx2(uint8_t* target, const uint8_t* source, size_t quad_count) noexcept;

}  // namespace piecework::kernels
