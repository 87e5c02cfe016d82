// Points in time as records name them: RFC 3339, UTC, milliseconds.
#pragma once

#include <chrono>
#include <string>

namespace piecework::tools {

// "2026-11-24T06:30:00.123Z". Fractions of a millisecond are cut off.
std::string rfc3339_utc(std::chrono::system_clock::time_point time);

// Seconds since 1970-01-01T00:00:00Z, with a fraction.
double unix_seconds(std::chrono::system_clock::time_point time);

}  // namespace piecework::tools
