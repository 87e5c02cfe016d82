// SHA-256 on the SHA extensions. REQUIRES (every function): cpu_features() has kCpuShaNi.
#pragma once

#include <cstddef>
#include <cstdint>

namespace piecework::kernels {

// As hash_nodes (sha256.h).
void hash_nodes_shani(uint8_t* target, const uint8_t* source, size_t node_count) noexcept;

// Advances the eight words of `state` over `block_count` adjacent blocks of one message.
void compress_blocks_shani(uint32_t* state, const uint8_t* data, size_t block_count) noexcept;

// A CompressLanesFn (sha256_multibuffer.h) for 1 to 3 lanes.
inline constexpr size_t kShaNiLanes = 3;
void compress_lanes_shani(uint32_t (*state)[16], const uint8_t* const* data, size_t lane_count,
                          size_t block_count) noexcept;

}  // namespace piecework::kernels
