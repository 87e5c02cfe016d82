// FIPS 180-4 by the letter. Kept plain on purpose: other variants are tested against this file, this file against
// published vectors and OpenSSL.
#include "kernels/sha256/sha256_scalar.h"

#include <bit>
#include <cstring>

#include "kernels/base/endian.h"
#include "kernels/sha256/sha256_constants.h"
#include "kernels/sha256/sha256_message.h"

namespace piecework::kernels {
namespace {

uint32_t choose(uint32_t x, uint32_t y, uint32_t z) { return (x & y) ^ (~x & z); }
uint32_t majority(uint32_t x, uint32_t y, uint32_t z) { return (x & y) ^ (x & z) ^ (y & z); }
uint32_t big_sigma0(uint32_t x) { return std::rotr(x, 2) ^ std::rotr(x, 13) ^ std::rotr(x, 22); }
uint32_t big_sigma1(uint32_t x) { return std::rotr(x, 6) ^ std::rotr(x, 11) ^ std::rotr(x, 25); }
uint32_t small_sigma0(uint32_t x) { return std::rotr(x, 7) ^ std::rotr(x, 18) ^ (x >> 3); }
uint32_t small_sigma1(uint32_t x) { return std::rotr(x, 17) ^ std::rotr(x, 19) ^ (x >> 10); }

void expand_schedule(uint32_t schedule[64], const uint8_t* block) {
  for (size_t t = 0; t < 16; ++t) schedule[t] = load_be32(block + 4 * t);
  for (size_t t = 16; t < 64; ++t) {
    schedule[t] = small_sigma1(schedule[t - 2]) + schedule[t - 7] + small_sigma0(schedule[t - 15]) + schedule[t - 16];
  }
}

void compress_block(uint32_t* state, const uint8_t* block) {
  uint32_t schedule[64];
  expand_schedule(schedule, block);
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
#pragma GCC unroll 8  // the eight moves of a round vanish
  for (size_t t = 0; t < 64; ++t) {
    const uint32_t t1 = h + kRoundConstants.value[t] + schedule[t] + choose(e, f, g) + big_sigma1(e);
    const uint32_t t2 = big_sigma0(a) + majority(a, b, c);
    h = g, g = f, f = e, e = d + t1;
    d = c, c = b, b = a, a = t1 + t2;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d;
  state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

}  // namespace

void compress_blocks_scalar(uint32_t* state, const uint8_t* data, size_t block_count) noexcept {
  for (size_t i = 0; i < block_count; ++i) compress_block(state, data + kBlockBytes * i);
}

void hash_nodes_scalar(uint8_t* target, const uint8_t* source, size_t node_count) noexcept {
  for (size_t i = 0; i < node_count; ++i) {
    uint32_t state[8];
    std::memcpy(state, kInitialState.value, sizeof state);
    compress_blocks_scalar(state, source + 64 * i, 1);
    uint8_t padding[2 * kBlockBytes];
    compress_blocks_scalar(state, padding, complete_final_blocks(padding, 64));
    store_digest(target + 32 * i, state);
    target[32 * i + 31] &= kTrunc254Mask;
  }
}

void hash_many_scalar(std::span<const HashJob> jobs) noexcept {
  for (const HashJob& job : jobs) {
    Sha256State message = job.stream == nullptr ? initial_state() : job.stream->state();
    append_bytes(message, {job.data, job.data_bytes}, compress_blocks_scalar);
    if (job.stream != nullptr) *job.stream = Sha256(message);
    if (job.digest != nullptr) finish_message(job.digest, message, compress_blocks_scalar);
  }
}

}  // namespace piecework::kernels
