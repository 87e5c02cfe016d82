// Dispatch of Fr32 padding and of the granule hash.
#include "kernels/fr32/fr32.h"

#include <array>

#include "kernels/fr32/fr32_scalar.h"
#include "kernels/fr32/fr32_variants.h"

namespace piecework::kernels {
namespace {

constexpr Fr32Functions kScalar{fr32_pad_scalar, fr32_unpad_scalar};
constexpr std::array<Variant<const Fr32Functions>, 1> kFr32Variants{{
    {"scalar", kCpuNone, &kScalar},
}};
constexpr std::array<Variant<GranulesFn>, 1> kGranulesVariants{{
    {"scalar", kCpuNone, hash_granules_scalar},
}};

constinit VariantTable<const Fr32Functions> fr32_variants{"fr32", kFr32Variants};
constinit VariantTable<GranulesFn> granules_variants{"granules", kGranulesVariants};

}  // namespace

VariantTable<const Fr32Functions>& fr32_table() noexcept { return fr32_variants; }
VariantTable<GranulesFn>& granules_table() noexcept { return granules_variants; }

void fr32_pad(uint8_t* target, const uint8_t* source, size_t quad_count) noexcept {
  fr32_variants.active().fn->pad(target, source, quad_count);
}

void fr32_unpad(uint8_t* target, const uint8_t* source, size_t quad_count) noexcept {
  fr32_variants.active().fn->unpad(target, source, quad_count);
}

void hash_granules(uint8_t* target, const uint8_t* source, size_t granule_count) noexcept {
  granules_variants.active().fn(target, source, granule_count);
}

}  // namespace piecework::kernels
