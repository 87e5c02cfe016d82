// Input for tests: generated payloads, paint, and lengths that tell lane counts apart.
//
// Nothing large is stored in the repository. Vectors name a payload by (seed, size); the bytes are the ChaCha20
// keystream (RFC 8439) under the key SHA-256(seed) with a 96-bit zero nonce and the block counter from 0, as in kubo's
// test/cli/testutils/random_deterministic.go. A prefix of a longer payload is the shorter payload of the same seed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "kernels/base/bytes.h"

namespace piecework::testing {

// The payload of `seed`, piece by piece. Thread-compatible. Aborts where OpenSSL fails.
class DeterministicStream {
 public:
  explicit DeterministicStream(std::string_view seed);
  ~DeterministicStream();
  DeterministicStream(const DeterministicStream&) = delete;
  DeterministicStream& operator=(const DeterministicStream&) = delete;

  // Overwrites `target` with the next target.size() bytes of the payload.
  void next(MutableByteSpan target);

 private:
  struct Cipher;
  std::unique_ptr<Cipher> cipher_;
};

// The first `count` bytes of the payload of `seed`.
std::vector<uint8_t> deterministic_bytes(std::string_view seed, size_t count);

// Creates or replaces `path` with the first `count` bytes of the payload of `seed`; memory does not grow with `count`.
void write_deterministic_file(const std::filesystem::path& path, std::string_view seed, uint64_t count);

// Period of paint(): prime, so that no block size or lane count divides it and swapped blocks show.
inline constexpr size_t kPaintPeriod = 251;

// target[i] = (first_index + i) mod 251.
void paint(MutableByteSpan target, uint64_t first_index = 0);

// Counts of blocks or nodes around every lane count in use (1, 2, 4, 8, 16): below, at and above each, and 31 =
// 16+8+4+2+1.
inline constexpr std::array<size_t, 24> kLaneLengths = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                                        14, 15, 16, 17, 23, 24, 25, 31, 32, 33, 63, 64};

}  // namespace piecework::testing
