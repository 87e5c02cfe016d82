// Dispatch of the 2-to-1 node hash, and what each variant does with a count that is no multiple of its lanes.
#include <array>

#include "kernels/sha256/sha256.h"
#include "kernels/sha256/sha256_avx2.h"
#include "kernels/sha256/sha256_avx512.h"
#include "kernels/sha256/sha256_scalar.h"
#include "kernels/sha256/sha256_shani.h"
#include "kernels/sha256/sha256_variants.h"

namespace piecework::kernels {
namespace {

void hash_nodes_avx2(uint8_t* target, const uint8_t* source, size_t node_count) noexcept {
  const size_t batch_count = node_count / kAvx2Lanes;
  const size_t done = batch_count * kAvx2Lanes;
  if (batch_count != 0) hash_node_batches_avx2(target, source, batch_count);
  if (done != node_count) hash_nodes_scalar(target + 32 * done, source + 64 * done, node_count - done);
}

// Sixteen lanes, partly filled, cost as much as full ones: about seven SHA-NI nodes. What is left over goes to SHA-NI,
// or to the narrower lanes on CPUs without it (Skylake-SP, Cascade Lake).
void hash_nodes_avx512(uint8_t* target, const uint8_t* source, size_t node_count) noexcept {
  const size_t batch_count = node_count / kAvx512Lanes;
  const size_t done = batch_count * kAvx512Lanes;
  if (batch_count != 0) hash_node_batches_avx512(target, source, batch_count);
  if (done == node_count) return;
  NodesFn* const rest = (cpu_features() & kCpuShaNi) != 0 ? hash_nodes_shani : hash_nodes_avx2;
  rest(target + 32 * done, source + 64 * done, node_count - done);
}

constexpr std::array<Variant<NodesFn>, 4> kVariants{{
    {"avx512", kCpuAvx512 | kCpuAvx2, hash_nodes_avx512},
    {"shani", kCpuShaNi, hash_nodes_shani},
    {"avx2", kCpuAvx2, hash_nodes_avx2},
    {"scalar", kCpuNone, hash_nodes_scalar},
}};
constinit VariantTable<NodesFn> table{"sha256_nodes", kVariants};

}  // namespace

VariantTable<NodesFn>& nodes_table() noexcept { return table; }

void hash_nodes(uint8_t* target, const uint8_t* source, size_t node_count) noexcept {
  table.active().fn(target, source, node_count);
}

}  // namespace piecework::kernels
