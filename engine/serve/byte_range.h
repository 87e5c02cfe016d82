// The Range field of a request for bytes. Source: RFC 9110, sections 14.1 and 14.2.
#pragma once

#include <cstdint>
#include <string_view>

namespace piecework::engine {

struct ByteRangeRequest {
  enum class Kind : uint8_t {
    kWhole,          // everything: no field, or one that a server may pass over (several ranges, other units)
    kPart,           // [begin_bytes, end_bytes)
    kUnsatisfiable,  // answered with 416
  };
  Kind kind = Kind::kWhole;
  uint64_t begin_bytes = 0;
  uint64_t end_bytes = 0;
};

// `field` is the value of Range, empty where there is none; the representation has `length_bytes`.
ByteRangeRequest parse_range_field(std::string_view field, uint64_t length_bytes);

}  // namespace piecework::engine
