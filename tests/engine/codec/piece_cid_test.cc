// Piece CIDs: golden values of other implementations (commp.json) and texts that must be refused (piececid.json).
#include "engine/codec/piece_cid.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/codec/multibase.h"
#include "engine/piece/piece_size.h"
#include "tests/support/golden.h"

namespace piecework::engine {
namespace {

Digest32 digest_of_hex(const std::string& hex) {
  const std::vector<uint8_t> bytes = decode_multibase("f" + hex).value();
  Digest32 digest{};
  EXPECT_EQ(bytes.size(), digest.size());
  std::copy_n(bytes.begin(), digest.size(), digest.begin());
  return digest;
}

TEST(PieceCid, EncodesTheGoldenPieces) {
  for (const auto& vector : testing::load_vectors("public/commp.json")) {
    const Digest32 root = digest_of_hex(vector["commP"]);
    EXPECT_EQ(piece_cid_v1_text(root), vector["v1"]);
    EXPECT_EQ(piece_cid_v2_text(root, vector["size"]), vector["v2"]);
  }
}

TEST(PieceCid, ParsesTheGoldenPieces) {
  for (const auto& vector : testing::load_vectors("public/commp.json")) {
    const PieceCid v1 = parse_piece_cid(vector["v1"].get<std::string>()).value();
    const PieceCid v2 = parse_piece_cid(vector["v2"].get<std::string>()).value();
    EXPECT_EQ(to_hex(v1.root), vector["commP"]);
    EXPECT_EQ(to_hex(v2.root), vector["commP"]);
    EXPECT_EQ(v1.version, 1);
    EXPECT_EQ(v2.version, 2);
    EXPECT_EQ(v2.payload_bytes, vector["size"]);
    EXPECT_EQ(v2.padded_bytes, vector["paddedSize"]);
    EXPECT_EQ(v2.height, vector["height"]);
  }
}

TEST(PieceCid, GivesEveryMalformedTextItsVerdict) {
  for (const auto& vector : testing::load_vectors("malformed/piececid.json")) {
    const Result<PieceCid> piece = parse_piece_cid(vector["cid"].get<std::string>());
    EXPECT_EQ(piece.has_value(), vector["expect"] == "accept") << vector["why"];
    if (piece) continue;
    EXPECT_EQ(piece.error().code, ErrorCode::kInvalidArgument) << vector["why"];
  }
}

TEST(PieceCid, LargestPayloadSurvivesTheRoundTrip) {
  const PieceCid piece = parse_piece_cid(piece_cid_v2_text(Digest32{}, kPayloadBytesMax)).value();
  EXPECT_EQ(piece.payload_bytes, kPayloadBytesMax);
  EXPECT_EQ(piece.height, kTreeHeightMax);
}

}  // namespace
}  // namespace piecework::engine
