// The variant tables of Fr32 and of the granule hash, for dispatch, tests and benches.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/fr32/fr32.h"
#include "kernels/variant_table.h"

namespace piecework::kernels {

// Both directions are chosen together.
struct Fr32Functions {
  void (*pad)(uint8_t* target, const uint8_t* source, size_t quad_count) noexcept;
  void (*unpad)(uint8_t* target, const uint8_t* source, size_t quad_count) noexcept;
};
using GranulesFn = void(uint8_t* target, const uint8_t* source, size_t granule_count) noexcept;

VariantTable<const Fr32Functions>& fr32_table() noexcept;
VariantTable<GranulesFn>& granules_table() noexcept;

}  // namespace piecework::kernels
