// Receipts as text: what is not one of ours is refused, whatever a number or digest in it is.
#include "engine/record/receipt.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/temp_dir.h"

namespace piecework::engine {
namespace {

class ReceiptText : public ::testing::Test {
 protected:
  // The receipt with the first `from` replaced.
  std::string with(const std::string& from, const std::string& to) const {
    std::string text = text_;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  }
  void refuses(const std::string& from, const std::string& to, const std::string& why) const {
    const auto receipt = parse_receipt(with(from, to), "receipt.json");
    ASSERT_FALSE(receipt) << to;
    EXPECT_EQ(receipt.error().code, ErrorCode::kCorrupt);
    EXPECT_NE(receipt.error().message.find(why), std::string::npos) << receipt.error().message;
  }

  const std::string text_ = testing::read_file(PIECEWORK_SOURCE_DIR "/tests/fuzz/seeds/fuzz_receipt/receipt");
};

TEST_F(ReceiptText, ComesBackFromItsOwnText) {
  const auto receipt = parse_receipt(text_, "receipt.json");
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_EQ(receipt->source_names[1], "\xff");
  const auto again = parse_receipt(receipt->to_json(), "again");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->to_json(), receipt->to_json());
}

TEST_F(ReceiptText, NumbersAreWholeAndFit) {
  for (const char* number : {"646666666666666666666666660", "4294967296", "-1", "0.5", "1e3", "null", "\"0\""}) {
    refuses("\"batch\": 0", "\"batch\": " + std::string(number), "batch is no whole number");
  }
  for (const char* key : {"payload_bytes", "padded_bytes", "block_count", "file_count", "external_count"}) {
    const std::string label = "\"" + std::string(key) + "\": ";
    refuses(label, label + "18446744073709551616, \"was\": ", key);
    refuses(label, label + "-1, \"was\": ", key);
  }
  refuses("\"content_bytes\": 1", "\"content_bytes\": 1.5", "content_bytes");
  refuses("\"format\": 1", "\"format\": 4294967297", "format");
  const auto largest = parse_receipt(with("\"batch\": 0", "\"batch\": 4294967295"), "receipt.json");
  ASSERT_TRUE(largest);
  EXPECT_EQ(largest->batch, UINT32_MAX);
}

TEST_F(ReceiptText, DigestsHaveHexadecimalDigitsOnly) {
  const std::string tail(60, '0');
  for (const char* head : {"-100", "+f00", " f00", "0x00", "gg00", "000"}) {
    refuses("\"sha256\": \"0000" + tail, "\"sha256\": \"" + std::string(head) + tail, "64 hexadecimal digits");
  }
}

}  // namespace
}  // namespace piecework::engine
