// What every measurement shares: a clock, medians, incompressible input. Header only, so that the programs in bench/
// use it too.
#pragma once

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/base/bytes.h"

namespace piecework::tools {

// Seconds that `work` takes by the wall clock.
template <class Work>
double seconds_of(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Processor seconds of all threads of this process while `work` runs: what a figure costs, whoever else uses the
// machine.
template <class Work>
double cpu_seconds_of(const Work& work) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  };
  const double start = now();
  work();
  return now() - start;
}

// The middle value, or the mean of the two middle ones. REQUIRES: not empty.
inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 != 0 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// Fills `target` with the xorshift64 sequence of `seed`: never zeros, does not compress, the same on every machine.
inline void fill_random(MutableByteSpan target, uint64_t seed = 1) {
  uint64_t state = seed * 0x9E3779B97F4A7C15 + 1;
  for (size_t offset = 0; offset < target.size(); offset += sizeof state) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    std::memcpy(target.data() + offset, &state, std::min(sizeof state, target.size() - offset));
  }
}

}  // namespace piecework::tools
