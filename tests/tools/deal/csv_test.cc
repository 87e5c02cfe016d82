// Tables for spreadsheets: RFC 4180 both ways, and nothing that a spreadsheet would compute.
#include "tools/deal/csv.h"

#include <gtest/gtest.h>

namespace piecework::tools {
namespace {

TEST(Csv, LinesAreQuotedWhereTheyHaveTo) {
  EXPECT_EQ(csv_line({"a", "", "b c"}), "a,,b c\r\n");
  EXPECT_EQ(csv_line({"a,b", "say \"hi\"", "x\ny"}), "\"a,b\",\"say \"\"hi\"\"\",\"x\ny\"\r\n");
  EXPECT_EQ(csv_line({"=1+1", "@x", "-5"}), "\"'=1+1\",\"'@x\",\"'-5\"\r\n");
}

TEST(Csv, TablesAreRead) {
  const auto rows = parse_csv("a,b\r\n1,\"x,\"\"y\"\"\"\n\"two\nlines\",\n", "t.csv");
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_EQ(*rows, (std::vector<CsvRow>{{"a", "b"}, {"1", "x,\"y\""}, {"two\nlines", ""}}));
  EXPECT_EQ(parse_csv("a,", "t.csv").value(), (std::vector<CsvRow>{{"a", ""}}));
  EXPECT_TRUE(parse_csv("", "t.csv")->empty());
}

TEST(Csv, WhatIsNoTableIsRefusedWithItsLine) {
  EXPECT_EQ(parse_csv("a,b\n1\n", "t.csv").error().message, "'t.csv' line 2: 1 fields, the first line has 2");
  EXPECT_EQ(parse_csv("\"open", "t.csv").error().message, "'t.csv' line 1: a quote that is not closed");
  EXPECT_EQ(parse_csv("a\n\"x\"y", "t.csv").error().message, "'t.csv' line 2: text behind a field in quotes");
}

}  // namespace
}  // namespace piecework::tools
