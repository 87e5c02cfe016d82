// hash_granules: every variant against padding and hashing layer
// by layer with the scalar kernels, and against published roots.
#include <gtest/gtest.h>

#include <vector>

#include "kernels/fr32/fr32.h"
#include "kernels/fr32/fr32_scalar.h"
#include "kernels/fr32/fr32_variants.h"
#include "kernels/sha256/sha256_scalar.h"
#include "tests/kernels/variant_matrix.h"
#include "tests/support/test_input.h"

namespace piecework::kernels {
namespace {

using testing::deterministic_bytes;
using testing::kLaneLengths;

class Granules : public VariantTest<GranulesFn> {};
INSTANTIATE_TEST_SUITE_P(Variants, Granules, every_variant(granules_table()), kVariantName);

std::vector<uint8_t> layer_by_layer(ByteSpan payload) {
  const size_t quad_count = payload.size() / kQuadBytes;
  std::vector<uint8_t> nodes(kPaddedQuadBytes * quad_count);
  fr32_pad_scalar(nodes.data(), payload.data(), quad_count);
  for (int level = 0; level < 5; ++level) {
    hash_nodes_scalar(nodes.data(), nodes.data(), nodes.size() / 64);
    nodes.resize(nodes.size() / 2);
  }
  return nodes;
}

TEST_P(Granules, EqualLayerByLayerAtEveryLaneCount) {
  for (const size_t count : kLaneLengths) {
    const std::vector<uint8_t> payload = deterministic_bytes("granules", kGranuleBytes * count);
    std::vector<uint8_t> roots(32 * count);
    kernel()(roots.data(), payload.data(), count);
    EXPECT_EQ(roots, layer_by_layer(payload)) << count << " granules";
  }
}

TEST_P(Granules, EqualLayerByLayerOnPaintAtEveryAlignment) {
  constexpr size_t kCount = 21;  // 16 + 4 + 1
  for (size_t offset = 0; offset < 16; ++offset) {
    std::vector<uint8_t> payload(offset + kGranuleBytes * kCount);
    testing::paint(payload);
    std::vector<uint8_t> roots(32 * kCount);
    kernel()(roots.data(), payload.data() + offset, kCount);
    EXPECT_EQ(roots, layer_by_layer(ByteSpan(payload).subspan(offset))) << "offset " << offset;
  }
}

TEST_P(Granules, EveryByteOfAGranuleCounts) {
  constexpr size_t kCount = 16;
  const std::vector<uint8_t> payload = deterministic_bytes("bytes", kGranuleBytes * kCount);
  std::vector<uint8_t> before(32 * kCount);
  kernel()(before.data(), payload.data(), kCount);
  // A different byte of each granule changes at a time, so that 64 calls see every position.
  for (size_t first = 0; first < kGranuleBytes; first += kCount) {
    std::vector<uint8_t> changed = payload;
    for (size_t i = 0; i < kCount; ++i) changed[kGranuleBytes * i + (first + i) % kGranuleBytes] ^= 0x80;
    std::vector<uint8_t> after(32 * kCount);
    kernel()(after.data(), changed.data(), kCount);
    for (size_t i = 0; i < kCount; ++i) {
      EXPECT_NE(to_hex(ByteSpan(before).subspan(32 * i, 32)), to_hex(ByteSpan(after).subspan(32 * i, 32)))
          << "byte " << first + i;
    }
  }
}

// Level 5 of the zero commitments as go-data-segment publishes them (merkletree/zerocomm.bin).
TEST_P(Granules, ZerosGiveTheZeroCommitment) {
  const std::vector<uint8_t> payload(kGranuleBytes * 17, 0);
  std::vector<uint8_t> roots(32 * 17);
  kernel()(roots.data(), payload.data(), 17);
  for (size_t i = 0; i < 17; ++i) {
    EXPECT_EQ(to_hex(ByteSpan(roots).subspan(32 * i, 32)),
              "1f7ac9595510e09ea41c460b176430bb322cd6fb412ec57cb17d989a4310372f");
  }
}

TEST(GranulesDispatch, EqualLayerByLayer) {
  const std::vector<uint8_t> payload = deterministic_bytes("dispatch", kGranuleBytes * 23);
  std::vector<uint8_t> roots(32 * 23);
  hash_granules(roots.data(), payload.data(), 23);
  EXPECT_EQ(roots, layer_by_layer(payload));
}

}  // namespace
}  // namespace piecework::kernels
