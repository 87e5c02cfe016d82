// The encoding of proofs, field by field: what is written is read, and nothing else is.
#include "engine/proof/proof_format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/piece/piece_size.h"
#include "io/car_reader.h"
#include "kernels/sha256/sha256.h"
#include "tests/support/test_input.h"

namespace piecework::engine {
namespace {

class ProofFormatTest : public ::testing::Test {
 protected:
  void SetUp() override {
    head_ = {.base_name_count = 2, .range = ProofRange{5, 300}, .claims = {{cid_.bytes(), {0, 1, 200}}}};
  }

  std::vector<uint8_t> encode() const {
    ProofWriter writer;
    writer.head(head_);
    writer.record(record_);
    writer.piece(piece_);
    return writer.take();
  }
  // Whether the reader takes all of it, as the same again.
  static bool is_read(ByteSpan proof) {
    Result<ProofReader> reader = ProofReader::open(proof);
    if (!reader) return false;
    const Result<ProofHead> head = reader->head();
    const Result<ProofRecord> record = head ? reader->record() : Result<ProofRecord>(ProofRecord());
    const Result<ProofPiece> piece = head && record ? reader->piece() : Result<ProofPiece>(ProofPiece());
    if (!head || !record || !piece || !reader->at_end()) return false;
    ProofWriter writer;
    writer.head(*head);
    writer.record(*record);
    writer.piece(*piece);
    EXPECT_TRUE(std::ranges::equal(writer.take(), proof));
    return true;
  }

  const std::vector<uint8_t> bytes_ = piecework::testing::deterministic_bytes("bytes", 200);
  const Cid cid_ = sha256_cid(1, kCodecDagPb, kernels::sha256({}));
  const Cid other_cid_ = sha256_cid(1, kCodecDagPb, kernels::sha256(bytes_));
  ProofHead head_;
  ProofRecord record_{.before = bytes_, .data_bytes = 7, .after = ByteSpan(bytes_).first(3)};
  ProofPiece piece_{.root = Digest32{1}, .payload_bytes = 5000, .car_root = cid_.bytes(), .section_count = 1};
};

TEST_F(ProofFormatTest, ReadsWhatItWrites) {
  const std::vector<uint8_t> encoded = encode();
  EXPECT_TRUE(is_read(encoded));
  Result<ProofReader> reader = ProofReader::open(encoded);
  ASSERT_TRUE(reader.has_value());
  const Result<ProofHead> head = reader->head();
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->base_name_count, 2u);
  EXPECT_EQ(head->range, head_.range);
  ASSERT_EQ(head->claims.size(), 1u);
  EXPECT_EQ(head->claims[0].route, head_.claims[0].route);
  EXPECT_EQ(reader->record()->data_bytes, 7u);
  EXPECT_EQ(reader->piece()->payload_bytes, 5000u);
}

TEST_F(ProofFormatTest, ReadsOnesWithoutARange) {
  head_.range.reset();
  EXPECT_TRUE(is_read(encode()));
}

TEST_F(ProofFormatTest, RefusesCutAndLongerOnes) {
  std::vector<uint8_t> encoded = encode();
  for (size_t length = 0; length < encoded.size(); ++length) {
    EXPECT_FALSE(is_read(ByteSpan(encoded).first(length))) << length;
    std::vector<uint8_t> sealed(encoded.begin(), encoded.begin() + static_cast<ptrdiff_t>(length));
    seal_proof(sealed);
    EXPECT_EQ(is_read(sealed), length + kProofSealBytes == encoded.size()) << length;
  }
  encoded.resize(encoded.size() - kProofSealBytes);
  encoded.push_back(0);
  seal_proof(encoded);
  EXPECT_FALSE(is_read(encoded));
}

TEST_F(ProofFormatTest, ReadsAsTheSameOrRefusesEveryFlip) {
  const std::vector<uint8_t> encoded = encode();
  for (size_t at = 0; at < encoded.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::vector<uint8_t> changed = encoded;
      changed[at] ^= static_cast<uint8_t>(1u << bit);
      EXPECT_FALSE(is_read(changed)) << at;
      changed.resize(encoded.size() - kProofSealBytes);
      seal_proof(changed);
      is_read(changed);
    }
  }
}

TEST_F(ProofFormatTest, RefusesVarintsThatAreNotMinimal) {
  std::vector<uint8_t> encoded = encode();
  encoded.resize(encoded.size() - kProofSealBytes);
  encoded[8] = 0x82;  // the number of names of the base: 2, as 82 00
  encoded.insert(encoded.begin() + 9, 0x00);
  seal_proof(encoded);
  EXPECT_FALSE(is_read(encoded));
}

TEST_F(ProofFormatTest, RefusesItemsOutOfOrder) {
  const ByteSpan low = std::min(cid_, other_cid_) == cid_ ? cid_.bytes() : other_cid_.bytes();
  const ByteSpan high = low.data() == cid_.bytes().data() ? other_cid_.bytes() : cid_.bytes();
  head_.claims = {{low, {1}}, {low, {1, 0}}, {low, {2}}, {high, {0}}};
  EXPECT_TRUE(is_read(encode()));
  for (size_t i = 0; i + 1 < 4; ++i) {
    std::swap(head_.claims[i], head_.claims[i + 1]);
    EXPECT_FALSE(is_read(encode())) << i;
    std::swap(head_.claims[i], head_.claims[i + 1]);
  }
  head_.claims[1] = head_.claims[0];
  EXPECT_FALSE(is_read(encode()));
  head_.claims.clear();
  EXPECT_FALSE(is_read(encode()));
}

TEST_F(ProofFormatTest, RefusesFieldsThatCannotBe) {
  const std::vector<uint8_t> large(io::kCarBlockBytesMax);
  record_ = {.before = ByteSpan(large).first(large.size() - 10), .data_bytes = 7, .after = ByteSpan(large).first(3)};
  EXPECT_TRUE(is_read(encode()));
  record_.data_bytes = 8;
  EXPECT_FALSE(is_read(encode()));
  record_ = {.data_bytes = (uint64_t{1} << 63) - 1};
  EXPECT_FALSE(is_read(encode()));
  record_ = {};
  head_.claims[0].cid = cid_.bytes().first(35);
  EXPECT_FALSE(is_read(encode()));
  head_.claims[0].cid = cid_.bytes();
  piece_.payload_bytes = kPayloadBytesMax + 1;
  EXPECT_FALSE(is_read(encode()));
  piece_.payload_bytes = kPayloadBytesMax;
  EXPECT_TRUE(is_read(encode()));
  piece_.car_root = {};
  EXPECT_TRUE(is_read(encode()));
  piece_.section_count = 0;  // nothing rests on it
  EXPECT_FALSE(is_read(encode()));
}

}  // namespace
}  // namespace piecework::engine
