// libsodium, named in sodium.cc alone: BLAKE2b, random bytes, and memory that forgets.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "kernels/base/bytes.h"

namespace piecework::engine {

// BLAKE2b of `source` (RFC 7693, without a key) with a digest of target.size() bytes, 1 to 64.
void blake2b(MutableByteSpan target, ByteSpan source);
Digest32 blake2b_256(ByteSpan source);

// Fills `target` from the system's generator. Safe for concurrent use.
void fill_random(MutableByteSpan target);

// Overwrites `target` with zeros; no compiler leaves it out.
void wipe(MutableByteSpan target);

// Decodes hexadecimal text, or base64 with padding, into `target` without copies on the heap; in time that depends on
// the length alone. The bytes written; none where the text is malformed or the target too small.
std::optional<size_t> decode_secret_hex(MutableByteSpan target, std::string_view text);
std::optional<size_t> decode_secret_base64(MutableByteSpan target, std::string_view text);

// 32 secret bytes, wiped when they go. Thread-compatible; not copyable.
class SecretKey {
 public:
  SecretKey() = default;
  SecretKey(SecretKey&& other) noexcept;
  SecretKey& operator=(SecretKey&& other) noexcept;
  ~SecretKey() { wipe(bytes_); }

  ByteSpan bytes() const { return bytes_; }
  MutableByteSpan writable() { return bytes_; }

 private:
  std::array<uint8_t, 32> bytes_{};
};

}  // namespace piecework::engine
