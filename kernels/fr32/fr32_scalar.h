// Fr32 and the granule hash in portable C++: the specification that every other variant equals.
#pragma once

#include <cstddef>
#include <cstdint>

namespace piecework::kernels {

void fr32_pad_scalar(uint8_t* target, const uint8_t* source, size_t quad_count) noexcept;
void fr32_unpad_scalar(uint8_t* target, const uint8_t* source, size_t quad_count) noexcept;
void hash_granules_scalar(uint8_t* target, const uint8_t* source, size_t granule_count) noexcept;

}  // namespace piecework::kernels
