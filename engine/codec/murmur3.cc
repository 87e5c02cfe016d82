// MurmurHash3 x64-128 after Austin Appleby's public domain reference (SMHasher, MurmurHash3_x64_128).
#include "engine/codec/murmur3.h"

#include <bit>
#include <cstring>

#include "kernels/base/endian.h"

namespace piecework::engine {
namespace {

constexpr uint64_t kC1 = 0x87c37b91114253d5;
constexpr uint64_t kC2 = 0x4cf5ad432745937f;
constexpr size_t kBlockBytes = 16;

uint64_t mix_k1(uint64_t k1) { return std::rotl(k1 * kC1, 31) * kC2; }
uint64_t mix_k2(uint64_t k2) { return std::rotl(k2 * kC2, 33) * kC1; }

uint64_t final_mix(uint64_t k) {
  k ^= k >> 33;
  k *= 0xff51afd7ed558ccd;
  k ^= k >> 33;
  k *= 0xc4ceb9fe1a85ec53;
  k ^= k >> 33;
  return k;
}

}  // namespace

uint64_t murmur3_x64_64(std::string_view key) {
  uint64_t h1 = 0;
  uint64_t h2 = 0;
  size_t offset_bytes = 0;
  for (; offset_bytes + kBlockBytes <= key.size(); offset_bytes += kBlockBytes) {
    h1 ^= mix_k1(load_le<uint64_t>(key.data() + offset_bytes));
    h1 = (std::rotl(h1, 27) + h2) * 5 + 0x52dce729;
    h2 ^= mix_k2(load_le<uint64_t>(key.data() + offset_bytes + 8));
    h2 = (std::rotl(h2, 31) + h1) * 5 + 0x38495ab5;
  }
  // The tail is the last partial block with zeros behind it; mixing a zero word changes nothing.
  uint8_t tail[kBlockBytes] = {};
  if (offset_bytes < key.size()) std::memcpy(tail, key.data() + offset_bytes, key.size() - offset_bytes);
  h2 ^= mix_k2(load_le<uint64_t>(tail + 8));
  h1 ^= mix_k1(load_le<uint64_t>(tail));
  h1 ^= key.size();
  h2 ^= key.size();
  h1 += h2;
  h2 += h1;
  return final_mix(h1) + final_mix(h2);
}

}  // namespace piecework::engine
