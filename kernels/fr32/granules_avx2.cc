// granules_lanes.inl.h over AVX2.
#include "kernels/fr32/granules_avx2.h"

#include "kernels/fr32/granules_lanes.inl.h"
#include "kernels/lanes_avx2.inl.h"

namespace piecework::kernels {

static_assert(Avx2Lanes::kLanes == kAvx2GranuleLanes);

void hash_granule_batches_avx2(uint8_t* target, const uint8_t* source, size_t batch_count) noexcept {
  hash_granule_batches<Avx2Lanes>(target, source, batch_count);
}

}  // namespace piecework::kernels
