// ChaCha20 payloads through OpenSSL's EVP interface; see test_input.h.
#include "tests/support/test_input.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <limits>

namespace piecework::testing {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;
constexpr size_t kInitialVectorBytes = 16;  // OpenSSL's layout: 32-bit counter, then the 96-bit nonce

void require(bool condition, std::string_view what) {
  if (condition) return;
  std::cerr << "test input: " << what << " failed\n";
  std::abort();
}

Digest32 sha256_of(std::string_view text) {
  Digest32 digest;
  unsigned digest_bytes = 0;
  require(EVP_Digest(text.data(), text.size(), digest.data(), &digest_bytes, EVP_sha256(), nullptr) == 1, "SHA-256");
  return digest;
}

}  // namespace

struct DeterministicStream::Cipher {
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  ~Cipher() { EVP_CIPHER_CTX_free(context); }
};

DeterministicStream::DeterministicStream(std::string_view seed) : cipher_(std::make_unique<Cipher>()) {
  const Digest32 key = sha256_of(seed);
  const std::array<uint8_t, kInitialVectorBytes> zero_vector{};
  require(cipher_->context != nullptr &&
              EVP_EncryptInit_ex(cipher_->context, EVP_chacha20(), nullptr, key.data(), zero_vector.data()) == 1,
          "ChaCha20");
}

DeterministicStream::~DeterministicStream() = default;

void DeterministicStream::next(MutableByteSpan target) {
  // Encrypting zeros in place leaves the keystream.
  if (!target.empty()) std::memset(target.data(), 0, target.size());
  while (!target.empty()) {
    const size_t count = std::min(target.size(), kChunkBytes);
    static_assert(kChunkBytes <= static_cast<size_t>(std::numeric_limits<int>::max()));
    int written = 0;
    require(EVP_EncryptUpdate(cipher_->context, target.data(), &written, target.data(), static_cast<int>(count)) == 1 &&
                static_cast<size_t>(written) == count,
            "ChaCha20");
    target = target.subspan(count);
  }
}

std::vector<uint8_t> deterministic_bytes(std::string_view seed, size_t count) {
  std::vector<uint8_t> bytes(count);
  DeterministicStream(seed).next(bytes);
  return bytes;
}

void write_deterministic_file(const std::filesystem::path& path, std::string_view seed, uint64_t count) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  require(file.is_open(), "creating " + path.string());
  DeterministicStream stream(seed);
  std::vector<uint8_t> chunk(static_cast<size_t>(std::min<uint64_t>(count, kChunkBytes)));
  while (count > 0) {
    const size_t chunk_bytes = static_cast<size_t>(std::min<uint64_t>(count, chunk.size()));
    stream.next(std::span(chunk).first(chunk_bytes));
    file.write(reinterpret_cast<const char*>(chunk.data()), static_cast<std::streamsize>(chunk_bytes));
    count -= chunk_bytes;
  }
  file.flush();
  require(file.good(), "writing " + path.string());
}

void paint(MutableByteSpan target, uint64_t first_index) {
  for (size_t i = 0; i < target.size(); ++i) target[i] = static_cast<uint8_t>((first_index + i) % kPaintPeriod);
}

}  // namespace piecework::testing
