// The encoding of proofs: what is written is read, and nothing else is.
#include "engine/proof/proof_format.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/codec/cid.h"
#include "kernels/sha256/sha256.h"
#include "tests/support/test_input.h"

namespace piecework::engine {
namespace {

class ProofFormatTest : public ::testing::Test {
 protected:
  void SetUp() override {
    proof_.base = {"a", "b"};
    proof_.pieces = {{.root = root(1), .payload_bytes = 5000, .edge_bytes = bytes_, .boundary_hashes = hashes_},
                     {.root = root(2), .payload_bytes = 127}};
    proof_.claims = {{.has_path = true, .piece = 0, .cid = cid_.bytes(), .path = {}},
                     {.has_path = true, .piece = 1, .cid = cid_.bytes(), .path = {"c"}}};
    proof_.records = {{.piece = 0, .car_offset_bytes = 300, .before = bytes_, .data_bytes = 7, .after = bytes_},
                      {.piece = 1, .car_offset_bytes = 59, .before = bytes_}};
  }

  static Digest32 root(uint8_t seed) {
    Digest32 digest{};
    digest[0] = seed;
    return digest;
  }
  bool is_refused() const { return !decode_proof(encode_proof(proof_)); }

  const std::vector<uint8_t> bytes_ = piecework::testing::deterministic_bytes("bytes", 200);
  const std::vector<uint8_t> hashes_ = piecework::testing::deterministic_bytes("hashes", 96);
  const Cid cid_ = sha256_cid(1, kCodecDagPb, kernels::sha256({}));
  Proof proof_;
};

TEST_F(ProofFormatTest, ReadsWhatItWrites) {
  const std::vector<uint8_t> encoded = encode_proof(proof_);
  const Result<Proof> decoded = decode_proof(encoded);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(encode_proof(*decoded), encoded);
  EXPECT_EQ(decoded->base, proof_.base);
  EXPECT_EQ(decoded->pieces[0].payload_bytes, 5000u);
  EXPECT_EQ(decoded->records[0].data_bytes, 7u);
  EXPECT_EQ(decoded->claims[1].path, proof_.claims[1].path);
}

TEST_F(ProofFormatTest, RefusesCutAndLongerOnes) {
  std::vector<uint8_t> encoded = encode_proof(proof_);
  for (size_t length = 0; length < encoded.size(); ++length) {
    EXPECT_FALSE(decode_proof(ByteSpan(encoded).first(length)).has_value()) << length;
    std::vector<uint8_t> sealed(encoded.begin(), encoded.begin() + static_cast<ptrdiff_t>(length));
    seal_proof(sealed);
    EXPECT_EQ(decode_proof(sealed).has_value(), length + kProofSealBytes == encoded.size()) << length;
  }
  encoded.resize(encoded.size() - kProofSealBytes);
  encoded.push_back(0);
  seal_proof(encoded);
  EXPECT_FALSE(decode_proof(encoded).has_value());
}

TEST_F(ProofFormatTest, ReadsOrRefusesEveryFlip) {
  const std::vector<uint8_t> encoded = encode_proof(proof_);
  for (size_t at = 0; at < encoded.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::vector<uint8_t> changed = encoded;
      changed[at] ^= static_cast<uint8_t>(1u << bit);
      EXPECT_FALSE(decode_proof(changed).has_value()) << at;
      changed.resize(encoded.size() - kProofSealBytes);
      seal_proof(changed);
      const Result<Proof> decoded = decode_proof(changed);
      if (!decoded) continue;
      EXPECT_EQ(encode_proof(*decoded), changed) << at;
    }
  }
}

TEST_F(ProofFormatTest, RefusesVarintsThatAreNotMinimal) {
  std::vector<uint8_t> encoded = encode_proof(proof_);
  encoded.resize(encoded.size() - kProofSealBytes);
  encoded[9] = 0x82;  // the number of names of the base: 2, as 82 00
  encoded.insert(encoded.begin() + 10, 0x00);
  seal_proof(encoded);
  EXPECT_FALSE(decode_proof(encoded).has_value());
}

TEST_F(ProofFormatTest, RefusesFieldsThatContradictEachOther) {
  const Proof good = proof_;
  const std::vector<void (*)(Proof&)> changes = {
      [](Proof& proof) { std::swap(proof.claims[0].path, proof.claims[1].path); },
      [](Proof& proof) { proof.claims[1] = proof.claims[0]; },
      [](Proof& proof) { proof.claims[0].piece = 2; },
      [](Proof& proof) { proof.claims[0].has_path = false; },
      [](Proof& proof) { proof.claims = {{.cid = proof.claims[0].cid}}; },  // with a base
      [](Proof& proof) { proof.claims.clear(); },
      [](Proof& proof) { proof.pieces.clear(); },
      [](Proof& proof) { proof.records[0].piece = 2; },
      [](Proof& proof) { proof.base[0] = ".."; },
      [](Proof& proof) { proof.base[0] = "a/b"; },
      [](Proof& proof) { proof.base[0] = ""; },
      [](Proof& proof) { proof.range = ProofRange{5, 5}; },
      [](Proof& proof) { proof.range = ProofRange{5, 6}; },  // of two items
      [](Proof& proof) { proof.claims[0].cid = proof.claims[0].cid.first(35); },
      [](Proof& proof) { proof.pieces[0].root[31] = 0x40; },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    proof_ = good;
    changes[i](proof_);
    EXPECT_TRUE(is_refused()) << i;
  }
  proof_ = good;
  EXPECT_FALSE(is_refused());
}

}  // namespace
}  // namespace piecework::engine
