// SHA-256 in eight AVX2 lanes. REQUIRES (every function): cpu_features() has kCpuAvx2.
#pragma once

#include <cstddef>
#include <cstdint>

namespace piecework::kernels {

inline constexpr size_t kAvx2Lanes = 8;

// `batch_count` * 8 nodes, otherwise as hash_nodes (sha256.h).
void hash_node_batches_avx2(uint8_t* target, const uint8_t* source, size_t batch_count) noexcept;

// A CompressLanesFn (sha256_multibuffer.h): all 8 lanes are read, whatever `lane_count`.
void compress_lanes_avx2(uint32_t (*state)[16], const uint8_t* const* data, size_t lane_count,
                         size_t block_count) noexcept;

}  // namespace piecework::kernels
