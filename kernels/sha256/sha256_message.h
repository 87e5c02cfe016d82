// How a message ends (FIPS 180-4, 5.1.1) and how a state becomes a digest. Shared by the portable SHA-256 files; files of an
// instruction set do not include it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/base/bytes.h"
#include "kernels/base/check.h"
#include "kernels/base/endian.h"

namespace piecework::kernels {

inline constexpr size_t kBlockBytes = 64;

// Writes `tail`, 0x80, zeros and the length in bits of the whole message to `target`; returns how many blocks that is, 1 or 2.
// REQUIRES: tail.size() < 64, tail.size() == message_bytes % 64, room for 128 bytes.
inline size_t write_final_blocks(uint8_t* target, ByteSpan tail, uint64_t message_bytes) noexcept {
  PIECEWORK_DCHECK(tail.size() < kBlockBytes);
  const size_t block_count = tail.size() + 1 + sizeof(uint64_t) <= kBlockBytes ? 1 : 2;
  const size_t length_offset = block_count * kBlockBytes - sizeof(uint64_t);
  if (!tail.empty()) std::memcpy(target, tail.data(), tail.size());
  target[tail.size()] = 0x80;
  std::memset(target + tail.size() + 1, 0, length_offset - tail.size() - 1);
  store_be64(target + length_offset, 8 * message_bytes);
  return block_count;
}

inline void store_digest(uint8_t* target, const uint32_t* state) noexcept {
  for (size_t i = 0; i < 8; ++i) store_be32(target + 4 * i, state[i]);
}

}  // namespace piecework::kernels
