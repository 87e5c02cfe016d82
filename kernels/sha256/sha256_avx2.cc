// Eight lanes: sha256_lanes.inl.h over AVX2. For CPUs without the SHA extensions, which are faster where they exist.
#include "kernels/sha256/sha256_avx2.h"

#include "kernels/lanes_avx2.inl.h"
#include "kernels/sha256/sha256_lanes.inl.h"

namespace piecework::kernels {

static_assert(Avx2Lanes::kLanes == kAvx2Lanes);

void hash_node_batches_avx2(uint8_t* target, const uint8_t* source, size_t batch_count) noexcept {
  hash_node_batches<Avx2Lanes>(target, source, batch_count);
}

void compress_lanes_avx2(uint32_t (*state)[16], const uint8_t* const* data, size_t, size_t block_count) noexcept {
  compress_lanes<Avx2Lanes>(state, data, block_count);
}

}  // namespace piecework::kernels
