// Amounts: whole numbers of attoFIL, never wrapped and never rounded down.
#include "engine/deal/atto_fil.h"

#include <gtest/gtest.h>

namespace piecework::engine {
namespace {

AttoFil atto(std::string_view text) { return parse_atto_fil(text, "amount").value(); }

TEST(AttoFil, TextGoesBothWays) {
  for (const std::string_view text : {"0", "1", "18446744073709551615", "18446744073709551616",
                                      "2000000000000000000000000000"}) {
    EXPECT_EQ(atto(text).text(), text);
  }
  EXPECT_EQ(atto("2000000000000000000000000000"), AttoFil::max());
}

TEST(AttoFil, OnlyPlainDigitsOfAtMostAllFil) {
  for (const std::string_view text : {"", "-1", "+1", "1.5", "1e3", " 1", "01", "0x10", "1_000", "1 FIL",
                                      "2000000000000000000000000001", "99999999999999999999999999999999999999999"}) {
    const Result<AttoFil> parsed = parse_atto_fil(text, "cap");
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(AttoFil, SumsAndProductsStopAtWhatExists) {
  EXPECT_EQ(add(atto("7"), atto("8"))->text(), "15");
  EXPECT_FALSE(add(AttoFil::max(), atto("1")));
  EXPECT_EQ(multiply(atto("18446744073709551616"), 518400)->text(), "9562792127811031557734400");
  EXPECT_FALSE(multiply(AttoFil::max(), 2));
  EXPECT_EQ(multiply(AttoFil::max(), 0)->text(), "0");
  EXPECT_FALSE(multiply(AttoFil::max(), UINT64_MAX));
}

TEST(AttoFil, ScalingRoundsUp) {
  EXPECT_EQ(scale_up(atto("10"), 1, 3)->text(), "4");
  EXPECT_EQ(scale_up(atto("9"), 1, 3)->text(), "3");
  EXPECT_EQ(scale_up(atto("0"), UINT64_MAX, 1)->text(), "0");
  EXPECT_EQ(scale_up(AttoFil::max(), uint64_t{1} << 35, uint64_t{1} << 35), AttoFil::max());
  EXPECT_EQ(scale_up(atto("1"), 128, uint64_t{1} << 30)->text(), "1");
  EXPECT_FALSE(scale_up(AttoFil::max(), 3, 2));
  // 1000000000 attoFIL for a GiB is 32000000000 for 32 GiB.
  EXPECT_EQ(scale_up(atto("1000000000"), uint64_t{32} << 30, uint64_t{1} << 30)->text(), "32000000000");
}

}  // namespace
}  // namespace piecework::engine
