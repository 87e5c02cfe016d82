#include "engine/deal/sodium.h"

#include <sodium.h>

#include "kernels/base/check.h"

namespace piecework::engine {
namespace {

// Chooses libsodium's implementations for this processor; later calls do nothing, from any thread.
void initialise() { PIECEWORK_CHECK(sodium_init() >= 0); }

// What an empty target takes: nothing. libsodium wants a place even then.
std::optional<size_t> none_of(std::string_view text) { return text.empty() ? std::optional<size_t>(0) : std::nullopt; }

}  // namespace

void blake2b(MutableByteSpan target, ByteSpan source) {
  initialise();
  PIECEWORK_CHECK(!target.empty() && target.size() <= crypto_generichash_BYTES_MAX);
  PIECEWORK_CHECK(crypto_generichash(target.data(), target.size(), source.data(), source.size(), nullptr, 0) == 0);
}

Digest32 blake2b_256(ByteSpan source) {
  Digest32 digest{};
  blake2b(digest, source);
  return digest;
}

void fill_random(MutableByteSpan target) {
  initialise();
  randombytes_buf(target.data(), target.size());
}

void wipe(MutableByteSpan target) { sodium_memzero(target.data(), target.size()); }

std::optional<size_t> decode_secret_hex(MutableByteSpan target, std::string_view text) {
  if (target.empty()) return none_of(text);
  size_t written = 0;
  const char* end = nullptr;
  if (sodium_hex2bin(target.data(), target.size(), text.data(), text.size(), nullptr, &written, &end) != 0 ||
      end != text.data() + text.size()) {
    return std::nullopt;
  }
  return written;
}

std::optional<size_t> decode_secret_base64(MutableByteSpan target, std::string_view text) {
  if (target.empty()) return none_of(text);
  size_t written = 0;
  const char* end = nullptr;
  if (sodium_base642bin(target.data(), target.size(), text.data(), text.size(), nullptr, &written, &end,
                        sodium_base64_VARIANT_ORIGINAL) != 0 ||
      end != text.data() + text.size()) {
    return std::nullopt;
  }
  return written;
}

SecretKey::SecretKey(SecretKey&& other) noexcept : bytes_(other.bytes_) { wipe(other.bytes_); }

SecretKey& SecretKey::operator=(SecretKey&& other) noexcept {
  if (this != &other) {
    bytes_ = other.bytes_;
    wipe(other.bytes_);
  }
  return *this;
}

}  // namespace piecework::engine
