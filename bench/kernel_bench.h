// What the kernel benchmarks share: random input, a hash of the
// result as label, the core's cycle rate, the main function.
#pragma once

#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "kernels/base/bytes.h"
#include "kernels/checksum/xxh3.h"
#include "kernels/variant_table.h"

namespace piecework::bench {

// Never zeros: no kernel may be fast on what it recognises. The same in every run.
inline std::vector<uint8_t> random_bytes(size_t count) {
  std::mt19937_64 generator(20260101);
  std::vector<uint8_t> bytes(count);
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const uint64_t word = generator();
    std::memcpy(&bytes[i], &word, 8);
  }
  for (; i < count; ++i) bytes[i] = static_cast<uint8_t>(generator());
  return bytes;
}

// Equal results have equal labels, whatever made them.
inline std::string result_label(ByteSpan result) {
  return "result " + to_hex(ByteSpan(kernels::xxh3_128(result)).first(8));
}

// Cycles per second of this core just now, from a chain of 64-bit multiplications: three cycles each on every x86-64 of
// the last decade. Time is this thread's processor time, so other processes disturb little.
inline double measure_cycles_per_second() {
  constexpr uint64_t kRounds = 20000;
  constexpr uint64_t kMultiplications = 20;
  double best = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    timespec start{}, end{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
    uint64_t product = 3;
    for (uint64_t round = 0; round < kRounds; ++round) {
      for (uint64_t i = 0; i < kMultiplications; ++i) {
        product *= 0x9E3779B97F4A7C15;
        asm volatile("" : "+r"(product));  // or the compiler would fold the chain
      }
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    const double seconds =
        static_cast<double>(end.tv_sec - start.tv_sec) + 1e-9 * static_cast<double>(end.tv_nsec - start.tv_nsec);
    best = std::max(best, static_cast<double>(3 * kRounds * kMultiplications) / seconds);
  }
  return best;
}

// Counters "ns_per_<unit>" and "cycles_per_<unit>" for `unit_count` units of work an iteration.
inline void report_cost(benchmark::State& state, const std::string& unit, double unit_count, double cycles_per_second) {
  const benchmark::Counter::Flags seconds_each =
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert;
  state.counters["ns_per_" + unit] = benchmark::Counter(unit_count * 1e-9, seconds_each);
  state.counters["cycles_per_" + unit] = benchmark::Counter(unit_count / cycles_per_second, seconds_each);
}

// Calls visit(name, function) for each variant that runs here.
template <class Fn, class Visitor>
void for_each_supported(const kernels::VariantTable<Fn>& table, Visitor visit) {
  for (const kernels::Variant<Fn>& variant : table.variants()) {
    if (variant.supported()) visit(std::string(variant.name), variant.fn);
  }
}

// --smoke stands for the smallest measurement, as in every bench program.
inline int run_benchmarks(int argc, char** argv) {
  std::string smallest = "--benchmark_min_time=0.001";
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--smoke") argv[i] = smallest.data();
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return EXIT_FAILURE;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return EXIT_SUCCESS;
}

}  // namespace piecework::bench
