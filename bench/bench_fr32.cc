// Fr32 and the granule hash, every variant that runs here.
//
//   granules     payload -> level-5 roots, fused        bytes_per_second of payload, ns and cycles per node
//   layered      Fr32 into a buffer, then OpenSSL or hash_nodes layer by layer: what fusing is worth
//   pad, unpad   Fr32 alone, beside memcpy              bytes_per_second of payload
//
// 256 KiB of payload, so that it stays in the second-level cache. A granule is 31 nodes. Random data; every label ends
// in a hash of the result, equal for all variants.
#define OPENSSL_SUPPRESS_DEPRECATED  // for the low-level SHA-256 calls
#include <benchmark/benchmark.h>
#include <openssl/sha.h>

#include <cstring>
#include <string>
#include <vector>

#include "bench/kernel_bench.h"
#include "kernels/fr32/fr32_variants.h"
#include "kernels/sha256/sha256.h"

namespace piecework::kernels {
namespace {

using bench::random_bytes;
using bench::result_label;

constexpr size_t kGranuleCount = 256;
constexpr size_t kQuadCount = kGranuleCount * kGranuleBytes / kQuadBytes;
constexpr size_t kPayloadBytes = kGranuleCount * kGranuleBytes;
constexpr size_t kNodesPerGranule = 31;

void bench_granules(benchmark::State& state, GranulesFn* hash) {
  const std::vector<uint8_t> payload = random_bytes(kPayloadBytes);
  std::vector<uint8_t> roots(32 * kGranuleCount);
  const double cycles_per_second = bench::measure_cycles_per_second();
  for (auto _ : state) {
    hash(roots.data(), payload.data(), kGranuleCount);
    benchmark::DoNotOptimize(roots.data());
  }
  state.SetBytesProcessed(static_cast<int64_t>(kPayloadBytes) * state.iterations());
  bench::report_cost(state, "node", kNodesPerGranule * kGranuleCount, cycles_per_second);
  state.SetLabel(result_label(roots));
}

template <class HashNodes>
void hash_layer_by_layer(uint8_t* target, const uint8_t* source, size_t granule_count, HashNodes hash) {
  std::vector<uint8_t> nodes(granule_count * 1024);
  fr32_pad(nodes.data(), source, granule_count * kGranuleBytes / kQuadBytes);
  for (size_t width = 16 * granule_count; width >= granule_count; width /= 2) hash(nodes.data(), nodes.data(), width);
  std::memcpy(target, nodes.data(), 32 * granule_count);
}

void hash_layered(uint8_t* target, const uint8_t* source, size_t granule_count) noexcept {
  hash_layer_by_layer(target, source, granule_count, hash_nodes);
}

void hash_layered_openssl(uint8_t* target, const uint8_t* source, size_t granule_count) noexcept {
  hash_layer_by_layer(target, source, granule_count, [](uint8_t* nodes, const uint8_t* pairs, size_t node_count) {
    for (size_t i = 0; i < node_count; ++i) {
      SHA256_CTX context;
      SHA256_Init(&context);
      SHA256_Update(&context, pairs + 64 * i, 64);
      SHA256_Final(nodes + 32 * i, &context);
      nodes[32 * i + 31] &= 0x3F;
    }
  });
}

using QuadsFn = void(uint8_t* target, const uint8_t* source, size_t quad_count);

void bench_quads(benchmark::State& state, QuadsFn* convert) {
  const std::vector<uint8_t> source = random_bytes(kPaddedQuadBytes * kQuadCount);
  std::vector<uint8_t> target(kPaddedQuadBytes * kQuadCount);
  for (auto _ : state) {
    convert(target.data(), source.data(), kQuadCount);
    benchmark::DoNotOptimize(target.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<int64_t>(kPayloadBytes) * state.iterations());
  state.SetLabel(result_label(target));
}

void copy_quads(uint8_t* target, const uint8_t* source, size_t quad_count) {
  std::memcpy(target, source, kQuadBytes * quad_count);
}

void register_all() {
  const auto add_granules = [](const std::string& name, GranulesFn* hash) {
    benchmark::RegisterBenchmark(name.c_str(), bench_granules, hash)->Unit(benchmark::kMicrosecond);
  };
  bench::for_each_supported(granules_table(), [&add_granules](const std::string& name, GranulesFn* hash) {
    add_granules("granules/" + name, hash);
  });
  add_granules("layered/hash_nodes", hash_layered);
  add_granules("layered/openssl", hash_layered_openssl);
  const auto add_quads = [](const std::string& name, QuadsFn* convert) {
    benchmark::RegisterBenchmark(name.c_str(), bench_quads, convert)->Unit(benchmark::kMicrosecond);
  };
  bench::for_each_supported(fr32_table(), [&add_quads](const std::string& name, const Fr32Functions* functions) {
    add_quads("pad/" + name, functions->pad);
    add_quads("unpad/" + name, functions->unpad);
  });
  add_quads("memcpy", copy_quads);
}

}  // namespace
}  // namespace piecework::kernels

int main(int argc, char** argv) {
  piecework::kernels::register_all();
  return piecework::bench::run_benchmarks(argc, argv);
}
