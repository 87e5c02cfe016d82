// Unsigned LEB128 as multiformats/unsigned-varint has it: minimal form only, at most 9 bytes (63 bits).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "kernels/base/bytes.h"

namespace piecework {

inline constexpr size_t kVarintBytesMax = 9;
inline constexpr uint64_t kVarintMax = (uint64_t{1} << 63) - 1;

constexpr size_t varint_bytes(uint64_t value) {
  return value == 0 ? 1 : (static_cast<size_t>(std::bit_width(value)) + 6) / 7;
}

// Writes `value` at `target` (room for varint_bytes(value)) and returns the first byte after it.
inline uint8_t* encode_varint(uint8_t* target, uint64_t value) {
  while (value >= 0x80) {
    *target++ = static_cast<uint8_t>(value) | 0x80;
    value >>= 7;
  }
  *target++ = static_cast<uint8_t>(value);
  return target;
}

enum class VarintStatus : uint8_t { kOk, kTruncated, kTooLong, kNotMinimal };

struct DecodedVarint {
  uint64_t value = 0;
  size_t length_bytes = 0;  // 0 unless status is kOk
  VarintStatus status = VarintStatus::kOk;
};

// Decodes the varint at the start of `source`. kTruncated: every byte there asks for another one.
constexpr DecodedVarint decode_varint(ByteSpan source) {
  uint64_t value = 0;
  for (size_t i = 0; i < kVarintBytesMax; ++i) {
    if (i == source.size()) return {0, 0, VarintStatus::kTruncated};
    const uint8_t byte = source[i];
    value |= static_cast<uint64_t>(byte & 0x7F) << (7 * i);
    if ((byte & 0x80) == 0) {
      if (byte == 0 && i > 0) return {0, 0, VarintStatus::kNotMinimal};
      return {value, i + 1, VarintStatus::kOk};
    }
  }
  return {0, 0, VarintStatus::kTooLong};
}

}  // namespace piecework
