// commP of data in memory against what its kernels alone reach, over Google Benchmark. The counters are comparable:
// bytes are payload bytes everywhere, and `node_limit` is the payload rate that the node kernel alone would allow (4
// nodes for 127 bytes). Run pairs with --benchmark_enable_random_interleaving=true --benchmark_repetitions=7.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <vector>

#include "bench/kernel_bench.h"
#include "engine/piece/commp.h"
#include "kernels/fr32/fr32.h"
#include "kernels/sha256/sha256.h"
#include "tools/measure.h"

namespace piecework {
namespace {

constexpr size_t kPayloadBytes = 64 * engine::kSegmentBytes;

const std::vector<uint8_t>& payload() {
  static const std::vector<uint8_t> bytes = [] {
    std::vector<uint8_t> random(kPayloadBytes);
    tools::fill_random(random);
    return random;
  }();
  return bytes;
}

void set_payload_bytes(benchmark::State& state, size_t bytes_per_iteration) {
  state.SetBytesProcessed(static_cast<int64_t>(static_cast<uint64_t>(state.iterations()) * bytes_per_iteration));
}

void commp_of_memory(benchmark::State& state) {
  const ByteSpan bytes = payload();  // made before the clock starts
  for (auto _ : state) {
    const auto commp = engine::commp_of_bytes(bytes, static_cast<unsigned>(state.range(0)));
    if (!commp) std::abort();
    benchmark::DoNotOptimize(commp->root);
  }
  set_payload_bytes(state, kPayloadBytes);
}
BENCHMARK(commp_of_memory)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

void segment_in_cache(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(engine::segment_root(payload().data()));
  set_payload_bytes(state, engine::kSegmentBytes);
}
BENCHMARK(segment_in_cache)->Unit(benchmark::kMicrosecond);

void granules_in_cache(benchmark::State& state) {
  std::vector<uint8_t> nodes(engine::kGranulesPerSegment * kDigestBytes);
  for (auto _ : state) {
    kernels::hash_granules(nodes.data(), payload().data(), engine::kGranulesPerSegment);
    benchmark::ClobberMemory();
  }
  set_payload_bytes(state, engine::kSegmentBytes);
}
BENCHMARK(granules_in_cache)->Unit(benchmark::kMicrosecond);

void node_limit(benchmark::State& state) {
  constexpr size_t kNodeCount = 1024;
  std::vector<uint8_t> nodes(kNodeCount * kDigestBytes);
  for (auto _ : state) {
    kernels::hash_nodes(nodes.data(), payload().data(), kNodeCount);
    benchmark::ClobberMemory();
  }
  set_payload_bytes(state, kNodeCount * engine::kQuadBytes / 4);
}
BENCHMARK(node_limit)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace piecework

int main(int argc, char** argv) { return piecework::bench::run_benchmarks(argc, argv); }
