// Zero detection and CRC32C: published values, portable twins, lengths around every vector width.
#include "kernels/isal.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/test_input.h"

namespace piecework::kernels {
namespace {

using testing::deterministic_bytes;

// RFC 3720, B.4, and the check value of CRC-32/ISCSI in Greg Cook's catalogue.
TEST(Crc32c, ReproducesPublishedValues) {
  const std::vector<uint8_t> zeros(32, 0x00);
  const std::vector<uint8_t> ones(32, 0xFF);
  std::vector<uint8_t> rising(32);
  for (size_t i = 0; i < rising.size(); ++i) rising[i] = static_cast<uint8_t>(i);
  for (const auto& crc : {crc32c, crc32c_scalar}) {
    EXPECT_EQ(crc(0, as_bytes("123456789")), 0xE3069283U);
    EXPECT_EQ(crc(0, zeros), 0x8A9136AAU);
    EXPECT_EQ(crc(0, ones), 0x62A8AB43U);
    EXPECT_EQ(crc(0, rising), 0x46DD794EU);
    EXPECT_EQ(crc(0, {}), 0U);
  }
}

TEST(Crc32c, EqualsItsTwinAtEveryLengthAndAlignment) {
  const std::vector<uint8_t> data = deterministic_bytes("crc", 1100);
  for (size_t length = 0; length <= 600; ++length) {
    const ByteSpan bytes = ByteSpan(data).subspan(length % 17, length);
    EXPECT_EQ(crc32c(0, bytes), crc32c_scalar(0, bytes)) << length;
    EXPECT_EQ(crc32c(0x12345678, bytes), crc32c_scalar(0x12345678, bytes)) << length;
  }
}

TEST(Crc32c, GoesOnFromASeed) {
  const std::vector<uint8_t> data = deterministic_bytes("crc parts", 500);
  const uint32_t whole = crc32c(0, data);
  for (size_t cut = 0; cut <= data.size(); ++cut) {
    EXPECT_EQ(crc32c(crc32c(0, ByteSpan(data).first(cut)), ByteSpan(data).subspan(cut)), whole) << cut;
  }
}

TEST(ZeroDetection, SeesEverySingleByte) {
  for (const size_t length :
       {1u, 7u, 8u, 15u, 16u, 31u, 32u, 33u, 63u, 64u, 65u, 127u, 128u, 129u, 255u, 256u, 257u, 1016u}) {
    std::vector<uint8_t> data(length, 0);
    EXPECT_TRUE(is_all_zero(data)) << length;
    EXPECT_TRUE(is_all_zero_scalar(data)) << length;
    for (size_t i = 0; i < length; ++i) {
      data[i] = static_cast<uint8_t>(1U << (i % 8));
      EXPECT_FALSE(is_all_zero(data)) << "byte " << i << " of " << length;
      EXPECT_FALSE(is_all_zero_scalar(data)) << "byte " << i << " of " << length;
      data[i] = 0;
    }
  }
}

TEST(ZeroDetection, BytesAroundTheRangeDoNotCount) {
  for (size_t length = 0; length <= 70; ++length) {
    for (size_t offset = 1; offset <= 17; ++offset) {
      std::vector<uint8_t> data(offset + length + 40, 0xFF);
      std::fill_n(data.begin() + static_cast<ptrdiff_t>(offset), length, uint8_t{0});
      EXPECT_TRUE(is_all_zero(ByteSpan(data).subspan(offset, length))) << offset << ' ' << length;
    }
  }
  EXPECT_TRUE(is_all_zero({}));
}

}  // namespace
}  // namespace piecework::kernels
