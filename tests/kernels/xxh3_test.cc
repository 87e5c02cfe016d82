// XXH3: values of the reference implementation's own self-test, and parts of every length.
#include "kernels/checksum/xxh3.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/test_input.h"

namespace piecework::kernels {
namespace {

using testing::deterministic_bytes;

// The input of xxHash's sanity test (tests/sanity_test.c): a 64-bit multiplicative generator.
std::vector<uint8_t> sanity_bytes(size_t count) {
  constexpr uint64_t kPrime32 = 2654435761U;
  constexpr uint64_t kPrime64 = 11400714785074694797ULL;
  std::vector<uint8_t> bytes(count);
  uint64_t generator = kPrime32;
  for (uint8_t& byte : bytes) {
    byte = static_cast<uint8_t>(generator >> 56);
    generator *= kPrime64;
  }
  return bytes;
}

// xxHash's sanity test, seed 0.
TEST(Xxh3, ReproducesTheReferenceValues) {
  EXPECT_EQ(xxh3_64({}), 0x2D06800538D394C2ULL);
  EXPECT_EQ(xxh3_64(sanity_bytes(1)), 0xC44BDFF4074EECDBULL);
  EXPECT_EQ(xxh3_64(sanity_bytes(6)), 0x27B56A84CD2D7325ULL);
  EXPECT_EQ(xxh3_64(sanity_bytes(12)), 0xA713DAF0DFBB77E7ULL);
  EXPECT_EQ(xxh3_64(sanity_bytes(403)), 0xCDEB804D65C6DEA4ULL);
  EXPECT_EQ(xxh3_64(sanity_bytes(2048)), 0xDD59E2C3A5F038E0ULL);
  EXPECT_EQ(to_hex(xxh3_128({})), "99aa06d3014798d86001c324468d497f");
}

TEST(Xxh3, PartsMakeTheSameDigest) {
  const std::vector<uint8_t> data = deterministic_bytes("xxh3", 3000);
  for (const size_t length : {0u, 1u, 16u, 240u, 241u, 256u, 1024u, 3000u}) {
    const ByteSpan message = ByteSpan(data).first(length);
    for (const size_t part : {1u, 7u, 64u, 255u, 256u, 257u, 1024u}) {
      Xxh3 hasher;
      for (size_t offset = 0; offset < length; offset += part) {
        hasher.append(message.subspan(offset, std::min(part, length - offset)));
      }
      EXPECT_EQ(hasher.finish_64(), xxh3_64(message)) << length << " in parts of " << part;
      EXPECT_EQ(hasher.finish_128(), xxh3_128(message)) << length << " in parts of " << part;
    }
  }
}

TEST(Xxh3, ACopyGoesOnAlone) {
  const std::vector<uint8_t> data = deterministic_bytes("xxh3 copy", 2000);
  Xxh3 hasher;
  hasher.append(ByteSpan(data).first(700));
  Xxh3 copy = hasher;
  copy.append(ByteSpan(data).subspan(700));
  EXPECT_EQ(copy.finish_64(), xxh3_64(data));
  EXPECT_EQ(hasher.finish_64(), xxh3_64(ByteSpan(data).first(700)));
}

}  // namespace
}  // namespace piecework::kernels
