// Zero detection and CRC32C over ISA-L, each with a portable twin that says what the result is. No allocation, no
// errors; safe for concurrent use. The only user of ISA-L.
#pragma once

#include <cstdint>

#include "kernels/base/bytes.h"

namespace piecework::kernels {

// True where every byte of `data` is zero; true for no bytes.
bool is_all_zero(ByteSpan data) noexcept;
bool is_all_zero_scalar(ByteSpan data) noexcept;

// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `data`. `seed` is 0, or the CRC of the bytes before it: so
// crc32c(crc32c(0, a), b) is the CRC of a followed by b.
uint32_t crc32c(uint32_t seed, ByteSpan data) noexcept;
uint32_t crc32c_scalar(uint32_t seed, ByteSpan data) noexcept;

}  // namespace piecework::kernels
