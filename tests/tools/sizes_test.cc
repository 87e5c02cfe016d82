// Sizes on the command line and in messages.
#include "tools/sizes.h"

#include <gtest/gtest.h>

#include "kernels/base/units.h"

namespace piecework::tools {
namespace {

TEST(ParseSizeTest, AcceptsBytesAndBinaryUnits) {
  EXPECT_EQ(parse_size("0").value(), 0u);
  EXPECT_EQ(parse_size("4096").value(), 4096u);
  EXPECT_EQ(parse_size("12B").value(), 12u);
  EXPECT_EQ(parse_size("3KiB").value(), 3 * kKiB);
  EXPECT_EQ(parse_size("256mib").value(), 256 * kMiB);
  EXPECT_EQ(parse_size("32GiB").value(), 32 * kGiB);
  EXPECT_EQ(parse_size("16777215TiB").value(), 16777215 * kTiB);
}

TEST(ParseSizeTest, RefusesEverythingElse) {
  for (const char* text : {"", "GiB", "-1", "+1", " 1", "1 ", "1 GiB", "1.5GiB", "1GB", "0x10", "16777216TiB",
                           "18446744073709551616", "1GiBB", "1\xff"}) {
    const Result<uint64_t> size_bytes = parse_size(text);
    ASSERT_FALSE(size_bytes) << text;
    EXPECT_EQ(size_bytes.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(size_bytes.error().side, ErrorSide::kConfig);
  }
}

TEST(ParsePieceSizeTest, AcceptsPowersOfTwoUpToTheLargestSector) {
  EXPECT_EQ(parse_piece_size("32GiB").value(), 32 * kGiB);
  EXPECT_EQ(parse_piece_size("64GiB").value(), 64 * kGiB);
  EXPECT_EQ(parse_piece_size("128").value(), 128u);
  EXPECT_EQ(parse_piece_size("pdp").value(), kGiB);
}

TEST(ParsePieceSizeTest, RefusesEverythingElse) {
  for (const char* text : {"0", "127", "64", "3GiB", "128GiB", "PDP", "32"})
    EXPECT_FALSE(parse_piece_size(text)) << text;
}

TEST(FormatBytesTest, KeepsOneDigitAndNeverShows1024) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.0 KiB");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_bytes(kMiB - 1), "1.0 MiB");
  EXPECT_EQ(format_bytes(32 * kGiB), "32.0 GiB");
}

TEST(FormatRateTest, IsDecimal) {
  EXPECT_EQ(format_rate(1.3e9), "1.30 GB/s");
  EXPECT_EQ(format_rate(158e6), "158 MB/s");
  EXPECT_EQ(format_rate(12e3), "12 kB/s");
}

}  // namespace
}  // namespace piecework::tools
