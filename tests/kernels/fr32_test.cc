// Fr32 padding and its inverse against a reference that moves single bits, as the definition has it.
#include "kernels/fr32/fr32.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/fr32/fr32_variants.h"
#include "tests/kernels/variant_matrix.h"
#include "tests/support/test_input.h"

namespace piecework::kernels {
namespace {

using testing::deterministic_bytes;
using testing::kLaneLengths;

class Fr32 : public VariantTest<const Fr32Functions> {};
INSTANTIATE_TEST_SUITE_P(Variants, Fr32, every_variant(fr32_table()), kVariantName);

// Payload bit i, counted from the low bit of byte 0, becomes bit 256 * (i / 254) + i % 254.
std::vector<uint8_t> pad_bit_by_bit(ByteSpan payload) {
  std::vector<uint8_t> padded(payload.size() / kQuadBytes * kPaddedQuadBytes);
  for (size_t i = 0; i < 8 * payload.size(); ++i) {
    const size_t target = 256 * (i / 254) + i % 254;
    padded[target / 8] |= static_cast<uint8_t>(((payload[i / 8] >> (i % 8)) & 1) << (target % 8));
  }
  return padded;
}

TEST_P(Fr32, PadEqualsTheDefinitionAtEveryCount) {
  for (const size_t count : kLaneLengths) {
    const std::vector<uint8_t> payload = deterministic_bytes("fr32", kQuadBytes * count);
    std::vector<uint8_t> padded(kPaddedQuadBytes * count, 0xA5);
    kernel()->pad(padded.data(), payload.data(), count);
    EXPECT_EQ(padded, pad_bit_by_bit(payload)) << count << " quads";
  }
}

TEST_P(Fr32, EverySingleBitGoesToItsPlace) {
  for (size_t bit = 0; bit < 8 * kQuadBytes; ++bit) {
    std::vector<uint8_t> payload(kQuadBytes, 0);
    payload[bit / 8] = static_cast<uint8_t>(1U << (bit % 8));
    std::vector<uint8_t> padded(kPaddedQuadBytes);
    kernel()->pad(padded.data(), payload.data(), 1);
    ASSERT_EQ(padded, pad_bit_by_bit(payload)) << "bit " << bit;
    std::vector<uint8_t> back(kQuadBytes, 0xFF);
    kernel()->unpad(back.data(), padded.data(), 1);
    ASSERT_EQ(back, payload) << "bit " << bit;
  }
}

TEST_P(Fr32, UnpadInvertsTheDefinitionAndIgnoresTheTwoTopBits) {
  for (const size_t count : kLaneLengths) {
    const std::vector<uint8_t> payload = deterministic_bytes("unpad", kQuadBytes * count);
    std::vector<uint8_t> padded = pad_bit_by_bit(payload);
    for (size_t i = 31; i < padded.size(); i += 32) padded[i] |= static_cast<uint8_t>((i / 32 % 4) << 6);
    std::vector<uint8_t> back(kQuadBytes * count, 0xA5);
    kernel()->unpad(back.data(), padded.data(), count);
    EXPECT_EQ(back, payload) << count << " quads";
  }
}

TEST_P(Fr32, WritesAndReadsNothingBesidesItsQuads) {
  // Exactly sized heap blocks at every alignment: AddressSanitizer sees a read beyond them, the guard a write.
  constexpr uint8_t kGuard = 0x5A;
  for (size_t offset = 0; offset < 33; ++offset) {
    constexpr size_t kCount = 3;
    std::vector<uint8_t> payload(offset + kQuadBytes * kCount);
    testing::paint(payload);
    const ByteSpan quads = ByteSpan(payload).subspan(offset);
    std::vector<uint8_t> padded(offset + kPaddedQuadBytes * kCount + 1, kGuard);
    kernel()->pad(padded.data() + offset, quads.data(), kCount);
    EXPECT_EQ(padded.back(), kGuard);
    padded.pop_back();
    padded.shrink_to_fit();
    std::vector<uint8_t> back(quads.size() + 1, kGuard);
    kernel()->unpad(back.data(), padded.data() + offset, kCount);
    EXPECT_EQ(back.back(), kGuard);
    back.pop_back();
    EXPECT_EQ(back, std::vector<uint8_t>(quads.begin(), quads.end())) << "offset " << offset;
  }
}

TEST(Fr32Dispatch, PadsAndUnpads) {
  const std::vector<uint8_t> payload = deterministic_bytes("dispatch", kQuadBytes * 5);
  std::vector<uint8_t> padded(kPaddedQuadBytes * 5);
  fr32_pad(padded.data(), payload.data(), 5);
  EXPECT_EQ(padded, pad_bit_by_bit(payload));
  std::vector<uint8_t> back(payload.size());
  fr32_unpad(back.data(), padded.data(), 5);
  EXPECT_EQ(back, payload);
}

}  // namespace
}  // namespace piecework::kernels
