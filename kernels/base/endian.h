// Loads and stores of fixed byte order through memcpy; compilers turn each into one instruction.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace piecework {

static_assert(std::endian::native == std::endian::little, "Piecework runs on little-endian machines");

template <class Integer>
Integer load_le(const void* source) {
  Integer value;
  std::memcpy(&value, source, sizeof value);
  return value;
}
template <class Integer>
void store_le(void* target, Integer value) {
  std::memcpy(target, &value, sizeof value);
}
inline uint32_t load_be32(const void* source) { return __builtin_bswap32(load_le<uint32_t>(source)); }
inline uint64_t load_be64(const void* source) { return __builtin_bswap64(load_le<uint64_t>(source)); }
inline void store_be32(void* target, uint32_t value) { store_le(target, __builtin_bswap32(value)); }
inline void store_be64(void* target, uint64_t value) { store_le(target, __builtin_bswap64(value)); }

}  // namespace piecework
