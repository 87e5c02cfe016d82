// The sixteen-lane kernels under emulation: the same bodies that the _avx512.cc files instantiate, on any CPU.
//
// Shows that the logic is right (lanes, transposes, Fr32 in registers, lane refill at sixteen); that the compiled
// AVX-512 code is right is shown by the variant tests on a CPU that has it.
#include "tests/kernels/simde_avx512.h"
// Before any other include of intrinsics.
#include <gtest/gtest.h>

#include <vector>

#include "kernels/fr32/fr32_scalar.h"
#include "kernels/fr32/granules_lanes.inl.h"
#include "kernels/lanes_avx512.inl.h"
#include "kernels/sha256/sha256_lanes.inl.h"
#include "kernels/sha256/sha256_multibuffer.h"
#include "kernels/sha256/sha256_scalar.h"
#include "tests/kernels/reference_sha256.h"
#include "tests/support/test_input.h"

namespace piecework::kernels {
namespace {

using testing::deterministic_bytes;
using testing::reference_sha256;

TEST(Avx512Emulation, NodesEqualScalar) {
  for (const size_t batch_count : {0u, 1u, 2u, 3u}) {
    const size_t count = 16 * batch_count;
    const std::vector<uint8_t> source = deterministic_bytes("emulated nodes", 64 * count + 1);
    std::vector<uint8_t> target(32 * count), expected(32 * count);
    hash_node_batches<Avx512Lanes>(target.data(), source.data() + 1, batch_count);
    hash_nodes_scalar(expected.data(), source.data() + 1, count);
    EXPECT_EQ(target, expected) << count << " nodes";
  }
}

TEST(Avx512Emulation, NodesInPlaceEqualScalar) {
  std::vector<uint8_t> layer = deterministic_bytes("emulated in place", 64 * 32);
  std::vector<uint8_t> expected = layer;
  hash_node_batches<Avx512Lanes>(layer.data(), layer.data(), 2);
  hash_nodes_scalar(expected.data(), expected.data(), 32);
  EXPECT_EQ(layer, expected);
}

TEST(Avx512Emulation, GranulesEqualScalar) {
  // Exactly sized, so that AddressSanitizer sees a read beyond the last lane's last byte.
  for (const size_t batch_count : {1u, 2u}) {
    const size_t count = 16 * batch_count;
    const std::vector<uint8_t> payload = deterministic_bytes("emulated granules", kGranuleBytes * count);
    std::vector<uint8_t> roots(32 * count), expected(32 * count);
    hash_granule_batches<Avx512Lanes>(roots.data(), payload.data(), batch_count);
    hash_granules_scalar(expected.data(), payload.data(), count);
    EXPECT_EQ(roots, expected) << count << " granules";
  }
}

TEST(Avx512Emulation, GranulesOfPaintEqualScalar) {
  std::vector<uint8_t> payload(kGranuleBytes * 16 + 3);
  testing::paint(payload);
  std::vector<uint8_t> roots(32 * 16), expected(32 * 16);
  hash_granule_batches<Avx512Lanes>(roots.data(), payload.data() + 3, 1);
  hash_granules_scalar(expected.data(), payload.data() + 3, 16);
  EXPECT_EQ(roots, expected);
}

void compress_sixteen_lanes(uint32_t (*state)[kLanesMax], const uint8_t* const* data, size_t,
                            size_t block_count) noexcept {
  compress_lanes<Avx512Lanes>(state, data, block_count);
}

void compress_few_lanes(uint32_t (*state)[kLanesMax], const uint8_t* const* data, size_t lane_count,
                        size_t block_count) noexcept {
  for (size_t lane = 0; lane < lane_count; ++lane) {
    uint32_t words[8];
    for (size_t i = 0; i < 8; ++i) words[i] = state[i][lane];
    compress_blocks_scalar(words, data[lane], block_count);
    for (size_t i = 0; i < 8; ++i) state[i][lane] = words[i];
  }
}

// The arrangement of hash_many's avx512 variant: sixteen lanes while nine are live, then few.
TEST(Avx512Emulation, ManyEqualsOpenSslWithRefillAndHandOver) {
  const LaneKernels kernels{.wide = compress_sixteen_lanes,
                            .wide_lanes = 16,
                            .wide_lanes_min = 9,
                            .narrow = compress_few_lanes,
                            .narrow_lanes = 4};
  const std::vector<uint8_t> data = deterministic_bytes("emulated many", 1 << 18);
  for (const size_t job_count : {1u, 4u, 8u, 9u, 15u, 16u, 17u, 31u, 60u}) {
    std::vector<Digest32> digests(job_count);
    std::vector<HashJob> jobs;
    for (size_t i = 0, offset = 0; i < job_count; ++i) {
      const size_t length = i * 2753 % 2048;
      jobs.push_back({.data = data.data() + offset, .data_bytes = length, .digest = digests[i].data()});
      offset += length;
    }
    hash_many_in_lanes(jobs, kernels);
    for (size_t i = 0; i < job_count; ++i) {
      EXPECT_EQ(digests[i], reference_sha256({jobs[i].data, jobs[i].data_bytes})) << i << " of " << job_count;
    }
  }
}

}  // namespace
}  // namespace piecework::kernels
