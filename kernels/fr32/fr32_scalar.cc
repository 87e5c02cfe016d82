// Fr32 (formats.md 8) with 64-bit words: 1,016 payload bits
// become four groups of 254, each with two clear bits above it.
//
//   group   payload bits      starts at byte, bit     words 0..2          word 3 keeps 62 bits
//     0        0 ..  253          0, 0                whole words
//     1      254 ..  507         31, 6                each word is the low bits of one
//     2      508 ..  761         63, 4                payload word joined to the high
//     3      762 .. 1015         95, 2                bits of the word before it
#include "kernels/fr32/fr32_scalar.h"

#include <cstring>

#include "kernels/base/endian.h"
#include "kernels/fr32/fr32.h"
#include "kernels/sha256/sha256_scalar.h"

namespace piecework::kernels {
namespace {

constexpr uint64_t kLow62Bits = (uint64_t{1} << 62) - 1;
constexpr size_t kLeavesPerGranule = 32;

void pad_quad(uint8_t* target, const uint8_t* source) {
  uint64_t payload[16] = {};  // the 128th byte stays zero
  std::memcpy(payload, source, kQuadBytes);
  for (size_t group = 0; group < 4; ++group) {
    for (size_t i = 0; i < 4; ++i) {
      const size_t index = 4 * group + i;
      const size_t shift = 2 * group;
      uint64_t word = payload[index] << shift;
      if (shift != 0) word |= payload[index - 1] >> (64 - shift);
      if (i == 3) word &= kLow62Bits;
      store_le(target + 8 * index, word);
    }
  }
}

void unpad_quad(uint8_t* target, const uint8_t* source) {
  uint64_t payload[16];
  for (size_t group = 0; group < 4; ++group) {
    for (size_t i = 0; i < 4; ++i) {
      const size_t index = 4 * group + i;
      const size_t shift = 2 * group;
      uint64_t word = load_le<uint64_t>(source + 8 * index);
      if (i == 3) word &= kLow62Bits;
      payload[index] = word >> shift;
      if (shift != 0) payload[index - 1] |= word << (64 - shift);
    }
  }
  std::memcpy(target, payload, kQuadBytes);
}

}  // namespace

void fr32_pad_scalar(uint8_t* target, const uint8_t* source, size_t quad_count) noexcept {
  for (size_t i = 0; i < quad_count; ++i) pad_quad(target + kPaddedQuadBytes * i, source + kQuadBytes * i);
}

void fr32_unpad_scalar(uint8_t* target, const uint8_t* source, size_t quad_count) noexcept {
  for (size_t i = 0; i < quad_count; ++i) unpad_quad(target + kQuadBytes * i, source + kPaddedQuadBytes * i);
}

void hash_granules_scalar(uint8_t* target, const uint8_t* source, size_t granule_count) noexcept {
  constexpr size_t kQuadsPerGranule = kGranuleBytes / kQuadBytes;
  for (size_t granule = 0; granule < granule_count; ++granule) {
    uint8_t nodes[kQuadsPerGranule * kPaddedQuadBytes];
    fr32_pad_scalar(nodes, source + kGranuleBytes * granule, kQuadsPerGranule);
    for (size_t width = kLeavesPerGranule / 2; width > 0; width /= 2) hash_nodes_scalar(nodes, nodes, width);
    std::memcpy(target + 32 * granule, nodes, 32);
  }
}

}  // namespace piecework::kernels
