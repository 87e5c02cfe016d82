// SHA-256 kernels, every variant that runs here, beside OpenSSL in the same run: believe the ratios, not the absolutes.
//
//   nodes        64 -> 32 bytes, 1,024 nodes in L2       ns_per_node, cycles_per_node
//   many         1 MiB blocks; 1-64 KiB blocks as they come    bytes_per_second
//   stream       one message of 1 MiB                    bytes_per_second
//
// Cycles are of the core at work: a chain of multiplications of known latency is timed beside each run. Random data,
// never zeros. Every entry's label ends in a hash of its result, equal for all variants.
#define OPENSSL_SUPPRESS_DEPRECATED  // for the low-level SHA-256 calls
#include <benchmark/benchmark.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <random>
#include <string>
#include <vector>

#include "bench/kernel_bench.h"
#include "kernels/cpu_features.h"
#include "kernels/sha256/sha256_message.h"
#include "kernels/sha256/sha256_variants.h"

namespace piecework::kernels {
namespace {

using bench::random_bytes;
using bench::result_label;

constexpr size_t kNodeCount = 1024;

void bench_nodes(benchmark::State& state, NodesFn* hash) {
  const std::vector<uint8_t> source = random_bytes(64 * kNodeCount);
  std::vector<uint8_t> target(32 * kNodeCount);
  const double cycles_per_second = bench::measure_cycles_per_second();
  for (auto _ : state) {
    hash(target.data(), source.data(), kNodeCount);
    benchmark::DoNotOptimize(target.data());
  }
  bench::report_cost(state, "node", kNodeCount, cycles_per_second);
  state.SetLabel(result_label(target));
}

// OpenSSL's fastest way: its low-level calls, without the algorithm look-up and allocation of EVP.
void hash_nodes_openssl(uint8_t* target, const uint8_t* source, size_t node_count) noexcept {
  for (size_t i = 0; i < node_count; ++i) {
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, source + 64 * i, 64);
    SHA256_Final(target + 32 * i, &context);
    target[32 * i + 31] &= 0x3F;
  }
}

// The SHA-NI trap (sha256_shani.inl.h): dirty upper register
// halves. The kernel's vzeroupper makes this equal to "shani".
void hash_nodes_after_dirty_upper_halves(uint8_t* target, const uint8_t* source, size_t node_count) noexcept {
  NodesFn* shani = nullptr;
  for (const Variant<NodesFn>& variant : nodes_table().variants()) {
    if (variant.name == "shani") shani = variant.fn;
  }
  asm volatile("vpcmpeqd %%ymm15, %%ymm15, %%ymm15" : : : "xmm15");
  shani(target, source, node_count);
}

// Adjacent messages whose lengths add up to about 32 MiB, so that they come from memory as in a pack.
struct ManyInput {
  std::vector<uint8_t> data;
  std::vector<Digest32> digests;
  std::vector<HashJob> jobs;
};

ManyInput make_many(size_t length_min_bytes, size_t length_max_bytes) {
  ManyInput input;
  input.data = random_bytes(size_t{32} << 20);
  std::mt19937_64 generator(1);
  std::uniform_int_distribution<size_t> lengths(length_min_bytes, length_max_bytes);
  size_t offset = 0;
  for (size_t length = lengths(generator); offset + length <= input.data.size(); length = lengths(generator)) {
    input.jobs.push_back({.data = input.data.data() + offset, .data_bytes = length});
    offset += length;
  }
  input.digests.resize(input.jobs.size());
  for (size_t i = 0; i < input.jobs.size(); ++i) input.jobs[i].digest = input.digests[i].data();
  return input;
}

void report_many(benchmark::State& state, const ManyInput& input) {
  size_t total_bytes = 0;
  for (const HashJob& job : input.jobs) total_bytes += job.data_bytes;
  state.SetBytesProcessed(static_cast<int64_t>(total_bytes) * state.iterations());
  state.SetLabel(result_label({input.digests.front().data(), 32 * input.digests.size()}));
}

void bench_many(benchmark::State& state, ManyFn* hash, size_t length_min_bytes, size_t length_max_bytes) {
  const ManyInput input = make_many(length_min_bytes, length_max_bytes);
  for (auto _ : state) hash(input.jobs);
  report_many(state, input);
}

void hash_many_openssl(std::span<const HashJob> jobs) noexcept {
  for (const HashJob& job : jobs) EVP_Digest(job.data, job.data_bytes, job.digest, nullptr, EVP_sha256(), nullptr);
}

void bench_stream(benchmark::State& state, StreamFn* compress) {
  const std::vector<uint8_t> data = random_bytes(size_t{1} << 20);
  Digest32 digest{};
  for (auto _ : state) {
    Sha256State message = initial_state();
    append_bytes(message, data, compress);
    finish_message(digest.data(), message, compress);
    benchmark::DoNotOptimize(digest);
  }
  state.SetBytesProcessed(static_cast<int64_t>(data.size()) * state.iterations());
  state.SetLabel(result_label(digest));
}

void bench_stream_openssl(benchmark::State& state) {
  const std::vector<uint8_t> data = random_bytes(size_t{1} << 20);
  Digest32 digest{};
  for (auto _ : state) {
    EVP_Digest(data.data(), data.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    benchmark::DoNotOptimize(digest);
  }
  state.SetBytesProcessed(static_cast<int64_t>(data.size()) * state.iterations());
  state.SetLabel(result_label(digest));
}

void register_nodes() {
  const auto add = [](const std::string& name, NodesFn* hash) {
    benchmark::RegisterBenchmark(("nodes/" + name).c_str(), bench_nodes, hash);
  };
  bench::for_each_supported(nodes_table(), add);
  if ((cpu_features() & kCpuShaNi) != 0) add("shani after dirty upper halves", hash_nodes_after_dirty_upper_halves);
  add("openssl", hash_nodes_openssl);
}

void register_many() {
  struct Shape {
    const char* name;
    size_t length_min_bytes, length_max_bytes;
  };
  for (const Shape shape : {Shape{"many_1MiB/", 1 << 20, 1 << 20}, Shape{"many_1-64KiB/", 1 << 10, 64 << 10}}) {
    const auto add = [shape](const std::string& name, ManyFn* hash) {
      benchmark::RegisterBenchmark((shape.name + name).c_str(), bench_many, hash, shape.length_min_bytes,
                                   shape.length_max_bytes)
          ->Unit(benchmark::kMillisecond);
    };
    bench::for_each_supported(many_table(), add);
    add("openssl", hash_many_openssl);
  }
}

void register_stream() {
  bench::for_each_supported(stream_table(), [](const std::string& name, StreamFn* compress) {
    benchmark::RegisterBenchmark(("stream/" + name).c_str(), bench_stream, compress)->Unit(benchmark::kMicrosecond);
  });
  benchmark::RegisterBenchmark("stream/openssl", bench_stream_openssl)->Unit(benchmark::kMicrosecond);
}

}  // namespace
}  // namespace piecework::kernels

int main(int argc, char** argv) {
  piecework::kernels::register_nodes();
  piecework::kernels::register_many();
  piecework::kernels::register_stream();
  return piecework::bench::run_benchmarks(argc, argv);
}
