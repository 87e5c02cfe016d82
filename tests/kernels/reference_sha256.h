// SHA-256 by OpenSSL: the outside reference of the kernel tests.
#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "kernels/base/bytes.h"

namespace piecework::testing {

inline Digest32 reference_sha256(ByteSpan data) {
  Digest32 digest{};
  unsigned digest_bytes = 0;
  EXPECT_EQ(EVP_Digest(data.data(), data.size(), digest.data(), &digest_bytes, EVP_sha256(), nullptr), 1);
  EXPECT_EQ(digest_bytes, digest.size());
  return digest;
}

// The tree node over 64 bytes: SHA-256 with bits 254 and 255 clear (formats.md 8).
inline Digest32 reference_node(ByteSpan pair) {
  Digest32 node = reference_sha256(pair);
  node[31] &= 0x3F;
  return node;
}

}  // namespace piecework::testing
