// Dispatch of hash_many.
#include <array>

#include "kernels/sha256/sha256.h"
#include "kernels/sha256/sha256_scalar.h"
#include "kernels/sha256/sha256_variants.h"

namespace piecework::kernels {
namespace {

constexpr std::array<Variant<ManyFn>, 1> kVariants{{
    {"scalar", kCpuNone, hash_many_scalar},
}};
constinit VariantTable<ManyFn> table{"sha256_many", kVariants};

}  // namespace

VariantTable<ManyFn>& many_table() noexcept { return table; }

void hash_many(std::span<const HashJob> jobs) noexcept { table.active().fn(jobs); }

}  // namespace piecework::kernels
