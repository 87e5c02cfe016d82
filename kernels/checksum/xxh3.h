// XXH3 (xxHash 0.8) for keys that no attacker chooses: candidates for equal content, caches. Never an identity: SHA-256
// decides. Results are the same on every machine; 128-bit digests are in xxHash's canonical (big-endian) order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels/base/bytes.h"

namespace piecework {

using Digest16 = std::array<uint8_t, 16>;

namespace kernels {

uint64_t xxh3_64(ByteSpan data) noexcept;
Digest16 xxh3_128(ByteSpan data) noexcept;

// XXH3 of a message that arrives in parts; both widths come from
// the same state. Thread-compatible; copyable; no allocation.
class Xxh3 {
 public:
  Xxh3() noexcept;
  void append(ByteSpan data) noexcept;
  // The digest of what was appended so far; the object may go on afterwards.
  [[nodiscard]] uint64_t finish_64() const noexcept;
  [[nodiscard]] Digest16 finish_128() const noexcept;

 private:
  // An XXH3_state_t, kept opaque so that xxhash.h stays in one file; xxh3.cc asserts size and alignment.
  static constexpr size_t kStateBytes = 576;
  alignas(64) std::array<std::byte, kStateBytes> state_;
};

}  // namespace kernels
}  // namespace piecework
