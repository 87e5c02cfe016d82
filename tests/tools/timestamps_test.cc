// Times in records, against `date -u -d @SECONDS`.
#include "tools/timestamps.h"

#include <gtest/gtest.h>

namespace piecework::tools {
namespace {

std::chrono::system_clock::time_point at_ms(int64_t milliseconds) {
  return std::chrono::system_clock::time_point(std::chrono::milliseconds(milliseconds));
}

TEST(Rfc3339Test, KnownMoments) {
  EXPECT_EQ(rfc3339_utc(at_ms(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339_utc(at_ms(951'827'696'789)), "2000-02-29T12:34:56.789Z");
  EXPECT_EQ(rfc3339_utc(at_ms(1'798'761'599'999)), "2026-12-31T23:59:59.999Z");
  EXPECT_EQ(rfc3339_utc(at_ms(-1)), "1969-12-31T23:59:59.999Z");
}

TEST(UnixSecondsTest, KeepsTheFraction) { EXPECT_DOUBLE_EQ(unix_seconds(at_ms(1'500)), 1.5); }

}  // namespace
}  // namespace piecework::tools
