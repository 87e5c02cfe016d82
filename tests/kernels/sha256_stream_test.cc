// Sha256 and sha256(): FIPS 180-4 examples, OpenSSL, parts of every length, states carried over.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/sha256/sha256.h"
#include "kernels/sha256/sha256_message.h"
#include "kernels/sha256/sha256_variants.h"
#include "tests/kernels/reference_sha256.h"
#include "tests/kernels/variant_matrix.h"
#include "tests/support/test_input.h"

namespace piecework::kernels {
namespace {

using testing::deterministic_bytes;
using testing::reference_sha256;

class Sha256Stream : public VariantTest<StreamFn> {
 protected:
  Digest32 hash(ByteSpan data) const {
    Sha256State message = initial_state();
    append_bytes(message, data, kernel());
    Digest32 digest;
    finish_message(digest.data(), message, kernel());
    return digest;
  }
};
INSTANTIATE_TEST_SUITE_P(Variants, Sha256Stream, every_variant(stream_table()), kVariantName);

// NIST: FIPS 180-4 example messages (csrc.nist.gov, "SHA256.pdf")
// and the empty message of the SHA-256 short-message vectors.
TEST_P(Sha256Stream, ReproducesPublishedDigests) {
  EXPECT_EQ(to_hex(hash({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(hash(as_bytes("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(hash(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(to_hex(hash(as_bytes(std::string(1000000, 'a')))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_P(Sha256Stream, EqualsOpenSslAtEveryLengthOfThreeBlocks) {
  const std::vector<uint8_t> data = deterministic_bytes("stream", 3 * 64 + 2);
  for (size_t length = 0; length <= data.size(); ++length) {
    const ByteSpan message = ByteSpan(data).first(length);
    EXPECT_EQ(hash(message), reference_sha256(message)) << length << " bytes";
  }
}

TEST_P(Sha256Stream, EqualsOpenSslAtEveryAlignment) {
  const std::vector<uint8_t> data = deterministic_bytes("alignment", 16 + 5 * 64);
  for (size_t offset = 0; offset < 16; ++offset) {
    const ByteSpan message = ByteSpan(data).subspan(offset, 5 * 64);
    EXPECT_EQ(hash(message), reference_sha256(message)) << "offset " << offset;
  }
}

TEST(Sha256, PartsOfAnyLengthMakeTheSameDigest) {
  const std::vector<uint8_t> data = deterministic_bytes("parts", 1000);
  const Digest32 expected = reference_sha256(data);
  EXPECT_EQ(sha256(data), expected);
  for (size_t part = 1; part <= 130; ++part) {
    Sha256 hasher;
    for (size_t offset = 0; offset < data.size(); offset += part) {
      hasher.append(ByteSpan(data).subspan(offset, std::min(part, data.size() - offset)));
      hasher.append({});
    }
    EXPECT_EQ(hasher.finish(), expected) << "parts of " << part;
  }
}

TEST(Sha256, GoesOnAfterFinishAndAfterACopy) {
  const std::vector<uint8_t> data = deterministic_bytes("go on", 200);
  Sha256 hasher;
  for (size_t length = 0; length < data.size(); ++length) {
    EXPECT_EQ(hasher.finish(), reference_sha256(ByteSpan(data).first(length))) << length;
    Sha256 copy = hasher;
    copy.append(ByteSpan(data).subspan(length));
    EXPECT_EQ(copy.finish(), reference_sha256(data)) << length;
    hasher.append(ByteSpan(data).subspan(length, 1));
  }
}

TEST(Sha256, GoesOnFromASavedState) {
  const std::vector<uint8_t> data = deterministic_bytes("saved", 500);
  for (const size_t cut : {0u, 1u, 63u, 64u, 65u, 127u, 128u, 200u, 499u, 500u}) {
    Sha256 first;
    first.append(ByteSpan(data).first(cut));
    const Sha256State saved = first.state();
    EXPECT_EQ(saved.total_bytes, cut);
    Sha256 second(saved);
    second.append(ByteSpan(data).subspan(cut));
    EXPECT_EQ(second.finish(), reference_sha256(data)) << "cut at " << cut;
  }
}

}  // namespace
}  // namespace piecework::kernels
