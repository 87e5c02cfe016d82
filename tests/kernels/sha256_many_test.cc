// hash_many: jobs of unequal lengths, more and fewer than lanes, and messages that go on from call to call.
#include <gtest/gtest.h>

#include <vector>

#include "kernels/sha256/sha256.h"
#include "kernels/sha256/sha256_variants.h"
#include "tests/kernels/reference_sha256.h"
#include "tests/kernels/variant_matrix.h"
#include "tests/support/test_input.h"

namespace piecework::kernels {
namespace {

using testing::deterministic_bytes;
using testing::kLaneLengths;
using testing::reference_sha256;

class Sha256Many : public VariantTest<ManyFn> {
 protected:
  // Hashes adjacent messages of these lengths from `data` and compares each with OpenSSL.
  void check(const std::vector<size_t>& lengths, ByteSpan data) const {
    std::vector<Digest32> digests(lengths.size());
    std::vector<HashJob> jobs;
    size_t offset = 0;
    for (size_t i = 0; i < lengths.size(); ++i) {
      ASSERT_LE(offset + lengths[i], data.size());
      jobs.push_back({.data = data.data() + offset, .data_bytes = lengths[i], .digest = digests[i].data()});
      offset += lengths[i];
    }
    kernel()(jobs);
    for (size_t i = 0; i < jobs.size(); ++i) {
      EXPECT_EQ(digests[i], reference_sha256({jobs[i].data, jobs[i].data_bytes}))
          << "job " << i << " of " << jobs.size() << ", " << lengths[i] << " bytes";
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Variants, Sha256Many, every_variant(many_table()), kVariantName);

TEST_P(Sha256Many, EqualLengthsAtEveryLaneCount) {
  const std::vector<uint8_t> data = deterministic_bytes("many", 64 * 200);
  for (const size_t count : kLaneLengths) check(std::vector<size_t>(count, 200), data);
}

TEST_P(Sha256Many, EveryLengthOfThreeBlocksInOneCall) {
  std::vector<size_t> lengths;
  for (size_t length = 0; length <= 194; ++length) lengths.push_back(length);
  check(lengths, deterministic_bytes("every length", 194 * 195 / 2));
}

TEST_P(Sha256Many, UnequalLengthsRefillLanes) {
  // Lengths 0..4095 in an order without a pattern: the multiplier is prime to 4096.
  std::vector<size_t> lengths;
  for (size_t i = 0; i < 150; ++i) lengths.push_back(i * 2753 % 4096);
  check(lengths, deterministic_bytes("unequal", 150 * 4096));
}

TEST_P(Sha256Many, OneLongMessageAmongShortOnes) {
  const std::vector<uint8_t> data = deterministic_bytes("long", 40000);
  for (const size_t position : {0u, 7u, 15u, 16u, 19u}) {
    std::vector<size_t> lengths(20, 100);
    lengths[position] = 30001;
    check(lengths, data);
  }
}

TEST_P(Sha256Many, EmptyJobListAndNullDataOfLengthZero) {
  kernel()({});
  Digest32 digest{};
  const HashJob job{.digest = digest.data()};
  kernel()({&job, 1});
  EXPECT_EQ(digest, reference_sha256({}));
}

TEST_P(Sha256Many, StreamsGoOnFromCallToCall) {
  // Each message arrives in three parts cut at unlike places; between calls its state is all there is.
  constexpr size_t kMessages = 21;
  constexpr size_t kMessageBytes = 700;
  const std::vector<uint8_t> data = deterministic_bytes("streams", kMessages * kMessageBytes);
  std::vector<Sha256> streams(kMessages);
  std::vector<Digest32> digests(kMessages);
  const auto cut = [](size_t message, size_t part) {  // parts 0..3: where each begins
    if (part == 0) return size_t{0};
    if (part == 3) return kMessageBytes;
    return part == 1 ? 13 * message : 300 + 19 * message;
  };
  for (size_t part = 0; part < 3; ++part) {
    std::vector<HashJob> jobs;
    for (size_t i = 0; i < kMessages; ++i) {
      const size_t begin = cut(i, part);
      jobs.push_back({.data = data.data() + i * kMessageBytes + begin,
                      .data_bytes = cut(i, part + 1) - begin,
                      .digest = part == 2 ? digests[i].data() : nullptr,
                      .stream = &streams[i]});
    }
    kernel()(jobs);
  }
  for (size_t i = 0; i < kMessages; ++i) {
    const Digest32 expected = reference_sha256(ByteSpan(data).subspan(i * kMessageBytes, kMessageBytes));
    EXPECT_EQ(digests[i], expected) << i;
    EXPECT_EQ(streams[i].finish(), expected) << i;
  }
}

TEST_P(Sha256Many, StreamPartsThatFillNoBlockAreKept) {
  const std::vector<uint8_t> data = deterministic_bytes("crumbs", 300);
  Sha256 stream;
  for (size_t offset = 0; offset < data.size(); offset += 20) {
    const HashJob job{.data = data.data() + offset, .data_bytes = 20, .stream = &stream};
    kernel()({&job, 1});
  }
  EXPECT_EQ(stream.finish(), reference_sha256(data));
}

TEST(Sha256ManyDispatch, EqualsOpenSsl) {
  const std::vector<uint8_t> data = deterministic_bytes("dispatch", 5000);
  Digest32 digest{};
  const HashJob job{.data = data.data(), .data_bytes = data.size(), .digest = digest.data()};
  hash_many({&job, 1});
  EXPECT_EQ(digest, reference_sha256(data));
}

}  // namespace
}  // namespace piecework::kernels
