// Range fields of HTTP requests.
#include "engine/serve/byte_range.h"

#include <gtest/gtest.h>

#include <string_view>

namespace piecework::engine {
namespace {

using Kind = ByteRangeRequest::Kind;

struct Case {
  std::string_view field;
  uint64_t length_bytes;
  Kind kind;
  uint64_t begin_bytes;
  uint64_t end_bytes;
};

// The examples of RFC 9110, section 14.1.2, and what may stand around them.
constexpr Case kCases[] = {
    {"bytes=0-499", 10000, Kind::kPart, 0, 500},
    {"bytes=500-999", 10000, Kind::kPart, 500, 1000},
    {"bytes=-500", 10000, Kind::kPart, 9500, 10000},
    {"bytes=9500-", 10000, Kind::kPart, 9500, 10000},
    {"Bytes = 0-0", 10000, Kind::kPart, 0, 1},
    {"bytes=9999-9999", 10000, Kind::kPart, 9999, 10000},
    {"bytes=9999-20000", 10000, Kind::kPart, 9999, 10000},
    {"bytes=0-99999999999999999999999", 10000, Kind::kPart, 0, 10000},
    {"bytes=-20000", 10000, Kind::kPart, 0, 10000},
    {"bytes=10000-", 10000, Kind::kUnsatisfiable, 0, 0},
    {"bytes=99999999999999999999999-", 10000, Kind::kUnsatisfiable, 0, 0},
    {"bytes=-0", 10000, Kind::kUnsatisfiable, 0, 0},
    {"bytes=0-", 0, Kind::kUnsatisfiable, 0, 0},
    // Passed over, as if there were no field.
    {"", 10000, Kind::kWhole, 0, 10000},
    {"bytes=0-1,3-4", 10000, Kind::kWhole, 0, 10000},
    {"bytes=5-4", 10000, Kind::kWhole, 0, 10000},
    {"bytes=-", 10000, Kind::kWhole, 0, 10000},
    {"bytes=", 10000, Kind::kWhole, 0, 10000},
    {"bytes=a-b", 10000, Kind::kWhole, 0, 10000},
    {"bytes=1-2x", 10000, Kind::kWhole, 0, 10000},
    {"bytes=+1-2", 10000, Kind::kWhole, 0, 10000},
    {"bytes=--1", 10000, Kind::kWhole, 0, 10000},
    {"items=0-1", 10000, Kind::kWhole, 0, 10000},
    {"bytes 0-1", 10000, Kind::kWhole, 0, 10000},
};

TEST(ByteRange, FollowsTheStandard) {
  for (const Case& test : kCases) {
    const ByteRangeRequest range = parse_range_field(test.field, test.length_bytes);
    EXPECT_EQ(range.kind, test.kind) << test.field;
    EXPECT_EQ(range.begin_bytes, test.begin_bytes) << test.field;
    EXPECT_EQ(range.end_bytes, test.end_bytes) << test.field;
  }
}

}  // namespace
}  // namespace piecework::engine
