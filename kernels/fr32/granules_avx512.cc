// granules_lanes.inl.h over AVX-512.
#include "kernels/fr32/granules_avx512.h"

#include "kernels/fr32/granules_lanes.inl.h"
#include "kernels/lanes_avx512.inl.h"

namespace piecework::kernels {

static_assert(Avx512Lanes::kLanes == kAvx512GranuleLanes);

void hash_granule_batches_avx512(uint8_t* target, const uint8_t* source, size_t batch_count) noexcept {
  hash_granule_batches<Avx512Lanes>(target, source, batch_count);
}

}  // namespace piecework::kernels
