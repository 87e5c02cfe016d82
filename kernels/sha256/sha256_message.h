// A message around the block function: how bytes become blocks, how a message ends (FIPS 180-4, 5.1.1) and how a state
// becomes a digest. Shared by the portable SHA-256 files; files of an instruction set do not include it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/base/bytes.h"
#include "kernels/base/endian.h"
#include "kernels/sha256/sha256.h"
#include "kernels/sha256/sha256_constants.h"

namespace piecework::kernels {

inline constexpr size_t kBlockBytes = 64;

// Completes the last block or two of a message: `blocks` begins with the bytes that fill no block, message_bytes % 64
// of them; 0x80, zeros and the length in bits are written after them. Returns how many blocks that makes.
//
// REQUIRES: room for 128 bytes.
inline size_t complete_final_blocks(uint8_t* blocks, uint64_t message_bytes) noexcept {
  const size_t tail_bytes = message_bytes % kBlockBytes;
  const size_t block_count = tail_bytes + 1 + sizeof(uint64_t) <= kBlockBytes ? 1 : 2;
  const size_t length_offset = block_count * kBlockBytes - sizeof(uint64_t);
  blocks[tail_bytes] = 0x80;
  std::memset(blocks + tail_bytes + 1, 0, length_offset - tail_bytes - 1);
  store_be64(blocks + length_offset, 8 * message_bytes);
  return block_count;
}

// memcpy for lengths that may be zero, where pointers may be null.
inline void copy_bytes(uint8_t* target, ByteSpan source) noexcept {
  if (!source.empty()) std::memcpy(target, source.data(), source.size());
}

inline void store_digest(uint8_t* target, const uint32_t* state) noexcept {
  for (size_t i = 0; i < 8; ++i) store_be32(target + 4 * i, state[i]);
}

inline Sha256State initial_state() noexcept {
  Sha256State message;
  std::memcpy(message.words, kInitialState.value, sizeof message.words);
  return message;
}

// Appends `data` to `message`. `compress(words, data, block_count)` is a block function.
template <class Compress>
void append_bytes(Sha256State& message, ByteSpan data, Compress compress) noexcept {
  const size_t pending_bytes = message.total_bytes % kBlockBytes;
  message.total_bytes += data.size();
  if (pending_bytes != 0) {
    const size_t copied = std::min(kBlockBytes - pending_bytes, data.size());
    copy_bytes(message.pending + pending_bytes, data.first(copied));
    data = data.subspan(copied);
    if (pending_bytes + copied < kBlockBytes) return;
    compress(message.words, message.pending, 1);
  }
  const size_t whole_blocks = data.size() / kBlockBytes;
  if (whole_blocks != 0) compress(message.words, data.data(), whole_blocks);
  copy_bytes(message.pending, data.subspan(whole_blocks * kBlockBytes));
}

// Writes the digest of `message` to the 32 bytes at `digest`.
template <class Compress>
void finish_message(uint8_t* digest, const Sha256State& message, Compress compress) noexcept {
  uint32_t words[8];
  std::memcpy(words, message.words, sizeof words);
  uint8_t blocks[2 * kBlockBytes];
  std::memcpy(blocks, message.pending, message.total_bytes % kBlockBytes);
  compress(words, blocks, complete_final_blocks(blocks, message.total_bytes));
  store_digest(digest, words);
}

}  // namespace piecework::kernels
