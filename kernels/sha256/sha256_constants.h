// The constants of SHA-256 (FIPS 180-4, 4.2.2 and 5.3.3) and the message schedule of the padding block that ends every
// 64-byte message. Included by files of every instruction set: constexpr data and consteval functions only, so that no
// function body is ever emitted from here.
#pragma once

#include <cstddef>
#include <cstdint>

namespace piecework::kernels {

struct Sha256Words8 {
  uint32_t value[8];
};
struct Sha256Words64 {
  uint32_t value[64];
};

alignas(64) constexpr Sha256Words8 kInitialState = {
    {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};

alignas(64) constexpr Sha256Words64 kRoundConstants = {
    {0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
     0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
     0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
     0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
     0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
     0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
     0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
     0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2}};

consteval uint32_t rotate_right(uint32_t word, int bits) { return (word >> bits) | (word << (32 - bits)); }

// K[t] + W[t] of the block that FIPS 180-4, 5.1.1 appends to a message of exactly 64 bytes: 0x80, zeros, the length
// 512. A tree node is such a message, so its second block needs no schedule at run time.
consteval Sha256Words64 make_padding_round_inputs() {
  uint32_t schedule[64] = {0x80000000};
  schedule[15] = 512;
  for (size_t t = 16; t < 64; ++t) {
    const uint32_t near = schedule[t - 2];
    const uint32_t far = schedule[t - 15];
    schedule[t] = schedule[t - 16] + (rotate_right(far, 7) ^ rotate_right(far, 18) ^ (far >> 3)) + schedule[t - 7] +
                  (rotate_right(near, 17) ^ rotate_right(near, 19) ^ (near >> 10));
  }
  Sha256Words64 inputs{};
  for (size_t t = 0; t < 64; ++t) inputs.value[t] = kRoundConstants.value[t] + schedule[t];
  return inputs;
}

alignas(64) constexpr Sha256Words64 kPaddingRoundInputs = make_padding_round_inputs();

// The first four rounds of a message, as far as they do not depend on it: from the initial state, round 0 gives d and h
// as a constant plus W[0], and in rounds 1 to 3 the variable h is still one of the initial words, so K[t] + h is known.
struct Sha256FirstRounds {
  uint32_t d_after_round0;
  uint32_t h_after_round0;
  uint32_t input_and_h[4];  // K[t] + h for t = 1, 2, 3; element 0 is not used
};

consteval Sha256FirstRounds make_first_rounds() {
  const uint32_t* s = kInitialState.value;
  const uint32_t big_sigma1 = rotate_right(s[4], 6) ^ rotate_right(s[4], 11) ^ rotate_right(s[4], 25);
  const uint32_t big_sigma0 = rotate_right(s[0], 2) ^ rotate_right(s[0], 13) ^ rotate_right(s[0], 22);
  const uint32_t t1 = s[7] + big_sigma1 + ((s[4] & s[5]) ^ (~s[4] & s[6])) + kRoundConstants.value[0];
  const uint32_t t2 = big_sigma0 + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
  Sha256FirstRounds rounds{};
  rounds.d_after_round0 = s[3] + t1;
  rounds.h_after_round0 = t1 + t2;
  for (size_t t = 1; t < 4; ++t) rounds.input_and_h[t] = kRoundConstants.value[t] + s[7 - t];
  return rounds;
}

alignas(32) constexpr Sha256FirstRounds kFirstRounds = make_first_rounds();

// The last byte of a node keeps its low six bits: bits 254 and 255 are clear (Filecoin's trunc254; formats.md 8).
constexpr uint8_t kTrunc254Mask = 0x3F;

}  // namespace piecework::kernels
