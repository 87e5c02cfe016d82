// SHA-256 in portable C++: the specification that every other variant equals.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/sha256/sha256.h"

namespace piecework::kernels {

// FIPS 180-4, 6.2.2 over `block_count` adjacent 64-byte blocks.
void compress_blocks_scalar(uint32_t* state, const uint8_t* data, size_t block_count) noexcept;

void hash_nodes_scalar(uint8_t* target, const uint8_t* source, size_t node_count) noexcept;
void hash_many_scalar(std::span<const HashJob> jobs) noexcept;

}  // namespace piecework::kernels
