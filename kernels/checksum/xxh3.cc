// The only user of xxHash.
#define XXH_STATIC_LINKING_ONLY  // for the size of XXH3_state_t: the state lives inside the object
#include "kernels/checksum/xxh3.h"

#include <xxhash.h>

#include <cstring>
#include <new>

namespace piecework::kernels {
namespace {

Digest16 canonical(XXH128_hash_t hash) {
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, hash);
  Digest16 digest;
  static_assert(sizeof bytes.digest == sizeof digest);
  std::memcpy(digest.data(), bytes.digest, digest.size());
  return digest;
}

XXH3_state_t* as_state(std::byte* bytes) { return std::launder(reinterpret_cast<XXH3_state_t*>(bytes)); }
const XXH3_state_t* as_state(const std::byte* bytes) {
  return std::launder(reinterpret_cast<const XXH3_state_t*>(bytes));
}

}  // namespace

uint64_t xxh3_64(ByteSpan data) noexcept { return XXH3_64bits(data.data(), data.size()); }
Digest16 xxh3_128(ByteSpan data) noexcept { return canonical(XXH3_128bits(data.data(), data.size())); }

Xxh3::Xxh3() noexcept {
  static_assert(sizeof(XXH3_state_t) == kStateBytes && alignof(XXH3_state_t) <= 64);
  XXH3_state_t* state = new (state_.data()) XXH3_state_t;
  XXH3_INITSTATE(state);
  XXH3_128bits_reset(state);
}

void Xxh3::append(ByteSpan data) noexcept { XXH3_128bits_update(as_state(state_.data()), data.data(), data.size()); }
uint64_t Xxh3::finish_64() const noexcept { return XXH3_64bits_digest(as_state(state_.data())); }
Digest16 Xxh3::finish_128() const noexcept { return canonical(XXH3_128bits_digest(as_state(state_.data()))); }

}  // namespace piecework::kernels
