// Dispatch of the 2-to-1 node hash.
#include <array>

#include "kernels/sha256/sha256.h"
#include "kernels/sha256/sha256_scalar.h"
#include "kernels/sha256/sha256_variants.h"

namespace piecework::kernels {
namespace {

constexpr std::array<Variant<NodesFn>, 1> kVariants{{
    {"scalar", kCpuNone, hash_nodes_scalar},
}};
constinit VariantTable<NodesFn> table{"sha256_nodes", kVariants};

}  // namespace

VariantTable<NodesFn>& nodes_table() noexcept { return table; }

void hash_nodes(uint8_t* target, const uint8_t* source, size_t node_count) noexcept {
  table.active().fn(target, source, node_count);
}

}  // namespace piecework::kernels
