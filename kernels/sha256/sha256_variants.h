// The variant tables of the SHA-256 kernels, for dispatch, tests and benches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/sha256/sha256.h"
#include "kernels/variant_table.h"

namespace piecework::kernels {

using NodesFn = void(uint8_t* target, const uint8_t* source, size_t node_count) noexcept;
using ManyFn = void(std::span<const HashJob> jobs) noexcept;
// Advances a state of eight words over adjacent 64-byte blocks.
using StreamFn = void(uint32_t* state, const uint8_t* data, size_t block_count) noexcept;

VariantTable<NodesFn>& nodes_table() noexcept;
VariantTable<ManyFn>& many_table() noexcept;
VariantTable<StreamFn>& stream_table() noexcept;

}  // namespace piecework::kernels
