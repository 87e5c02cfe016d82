// Sixteen lanes: sha256_lanes.inl.h over AVX-512.
#include "kernels/sha256/sha256_avx512.h"

#include "kernels/lanes_avx512.inl.h"
#include "kernels/sha256/sha256_lanes.inl.h"

namespace piecework::kernels {

static_assert(Avx512Lanes::kLanes == kAvx512Lanes);

void hash_node_batches_avx512(uint8_t* target, const uint8_t* source, size_t batch_count) noexcept {
  hash_node_batches<Avx512Lanes>(target, source, batch_count);
}

void compress_lanes_avx512(uint32_t (*state)[16], const uint8_t* const* data, size_t, size_t block_count) noexcept {
  compress_lanes<Avx512Lanes>(state, data, block_count);
}

}  // namespace piecework::kernels
