// Multibase against the published vectors (tests/vectors/codec/multibase.json), and what must be refused.
#include "engine/codec/multibase.h"

#include <gtest/gtest.h>

#include "tests/support/golden.h"

namespace piecework::engine {
namespace {

TEST(Multibase, DecodesThePublishedVectors) {
  const nlohmann::json document = testing::load_vectors("codec/multibase.json");
  for (const auto& vector : document["vectors"]) {
    for (const auto& text : vector["texts"]) {
      const Result<std::vector<uint8_t>> bytes = decode_multibase(text.get<std::string>());
      ASSERT_TRUE(bytes) << text << ": " << bytes.error().message;
      EXPECT_EQ(to_hex(*bytes), vector["hex"]) << text;
    }
  }
}

TEST(Multibase, EncodesThePublishedVectors) {
  const nlohmann::json document = testing::load_vectors("codec/multibase.json");
  for (const auto& vector : document["vectors"]) {
    const std::vector<uint8_t> bytes = decode_multibase(vector["texts"][0].get<std::string>()).value();
    std::string lower = "b";
    append_base32_lower(lower, bytes);
    EXPECT_EQ(lower, vector["texts"][2]);
    EXPECT_EQ("B" + encode_base32_upper(bytes), vector["texts"][3]);
    EXPECT_EQ("z" + encode_base58btc(bytes), vector["texts"][5]);
    EXPECT_EQ(decode_base32_upper(encode_base32_upper(bytes)).value(), bytes);
    EXPECT_EQ(decode_base58btc(encode_base58btc(bytes)).value(), bytes);
  }
}

TEST(Multibase, RefusesWhatHasAnotherTextOrNone) {
  const nlohmann::json document = testing::load_vectors("codec/multibase.json");
  for (const auto& text : document["refused"]) {
    const Result<std::vector<uint8_t>> bytes = decode_multibase(text.get<std::string>());
    ASSERT_FALSE(bytes) << text;
    EXPECT_EQ(bytes.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(Multibase, RefusesTextTooLongForQuadraticBases) {
  EXPECT_FALSE(decode_multibase("z" + std::string(kMultibaseTextBytesMax, '2')));
  EXPECT_TRUE(decode_multibase("z" + std::string(kMultibaseTextBytesMax - 1, '2')));
}

}  // namespace
}  // namespace piecework::engine
