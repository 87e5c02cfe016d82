// SHA-256 in sixteen AVX-512 lanes. REQUIRES (every function): cpu_features() has kCpuAvx512.
#pragma once

#include <cstddef>
#include <cstdint>

namespace piecework::kernels {

inline constexpr size_t kAvx512Lanes = 16;

// `batch_count` * 16 nodes, otherwise as hash_nodes (sha256.h).
void hash_node_batches_avx512(uint8_t* target, const uint8_t* source, size_t batch_count) noexcept;

// A CompressLanesFn (sha256_multibuffer.h): all 16 lanes are read, whatever `lane_count`.
void compress_lanes_avx512(uint32_t (*state)[16], const uint8_t* const* data, size_t lane_count,
                           size_t block_count) noexcept;

}  // namespace piecework::kernels
