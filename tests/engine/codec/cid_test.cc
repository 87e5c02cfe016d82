// CIDs: published texts and bytes, and the rules of decoding one by one.
#include "engine/codec/cid.h"

#include <gtest/gtest.h>

#include "engine/codec/multibase.h"
#include "tests/engine/codec/hex_bytes.h"

namespace piecework::engine {
namespace {

constexpr std::string_view kEmptyDirectoryV0 = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn";
constexpr std::string_view kEmptyDirectoryV1 = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354";
constexpr std::string_view kEmptyRaw = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
const std::string kSha256OfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

using testing::hex;

TEST(Cid, ParsesBothVersionsOfThePublishedEmptyDirectory) {
  const Cid v0 = parse_cid(kEmptyDirectoryV0).value();
  const Cid v1 = parse_cid(kEmptyDirectoryV1).value();
  EXPECT_EQ(v0.view().version, 0);
  EXPECT_EQ(v1.view().version, 1);
  EXPECT_EQ(v0.view().codec, kCodecDagPb);
  EXPECT_EQ(v1.view().codec, kCodecDagPb);
  EXPECT_EQ(to_hex(v0.view().multihash.digest), to_hex(v1.view().multihash.digest));
  EXPECT_NE(v0, v1) << "the same block under two CIDs is two blocks";
  EXPECT_EQ(v0.text(), kEmptyDirectoryV0);
  EXPECT_EQ(v1.text(), kEmptyDirectoryV1);
}

TEST(Cid, EncodesThePublishedEmptyRawBlock) {
  const std::vector<uint8_t> digest_bytes = hex(kSha256OfNothing);
  Digest32 digest{};
  std::copy(digest_bytes.begin(), digest_bytes.end(), digest.begin());
  uint8_t bytes[kCidV1Sha256Bytes];
  ASSERT_EQ(encode_sha256_cid(bytes, 1, kCodecRaw, digest), bytes + sha256_cid_bytes(1));
  EXPECT_EQ(cid_text(bytes), kEmptyRaw);
  EXPECT_EQ(to_hex(bytes), "01551220" + kSha256OfNothing);
  EXPECT_EQ(sha256_cid(1, kCodecRaw, digest).text(), kEmptyRaw);
  uint8_t v0_bytes[kCidV0Bytes];
  ASSERT_EQ(encode_sha256_cid(v0_bytes, 0, kCodecDagPb, digest), v0_bytes + sha256_cid_bytes(0));
  EXPECT_EQ(to_hex(v0_bytes), "1220" + kSha256OfNothing);
}

TEST(Cid, ReadsEveryMultibase) {
  const Cid cid = parse_cid(kEmptyRaw).value();
  const std::string base32_upper = "B" + encode_base32_upper(cid.bytes());
  for (const std::string& text : {base32_upper, "z" + encode_base58btc(cid.bytes()), "f" + to_hex(cid.bytes())}) {
    EXPECT_EQ(parse_cid(text).value(), cid) << text;
  }
}

TEST(Cid, RefusesTextThatIsNoCid) {
  const std::string v0_in_base32 = "b" + std::string("ciqfftjjp4kzwsu5bqrz2w6jqnsrzhhupuzvhqz4gjnolbn2qiz4nfa");
  for (const std::string& text : {std::string(), std::string("Qm"), std::string(kEmptyDirectoryV0.substr(1)),
                                  "z" + std::string(kEmptyDirectoryV0), std::string(kEmptyRaw) + "a",
                                  std::string(kEmptyRaw.substr(0, 40)), v0_in_base32}) {
    const Result<Cid> cid = parse_cid(text);
    ASSERT_FALSE(cid) << text;
    EXPECT_EQ(cid.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(cid.error().side, ErrorSide::kConfig);
  }
}

TEST(Cid, DecodingAPrefixLeavesTheRestToTheCaller) {
  const std::vector<uint8_t> bytes = hex("01551220" + kSha256OfNothing + "abcd");
  const CidView view = decode_cid_prefix(bytes).value();
  EXPECT_EQ(view.bytes.size(), kCidV1Sha256Bytes);
  EXPECT_FALSE(decode_cid(bytes)) << "two bytes follow";
}

TEST(Cid, RefusesBytesThatAreNoCid) {
  const std::string digest = kSha256OfNothing;
  const struct {
    const char* why;
    std::string bytes;
  } kCases[] = {
      {"nothing", ""},
      {"version 0 spelled out", "00701220" + digest},
      {"version 2", "02551220" + digest},
      {"CIDv0 cut short", "1220" + digest.substr(2)},
      {"version not minimal", "8100551220" + digest},
      {"codec not minimal", "01d5001220" + digest},
      {"codec over 9 bytes", "01ffffffffffffffffffff011220" + digest},
      {"sha2-256 of 20 bytes", "01551214" + digest.substr(0, 40)},
      {"digest cut short", "01551220" + digest.substr(2)},
      {"digest length 2^35", "015512808080808001" + digest},
      {"identity over 128 bytes", "0155008101" + std::string(2 * 129, '0')},
      {"no multihash", "0155"},
  };
  for (const auto& c : kCases) {
    const Result<CidView> view = decode_cid(hex(c.bytes));
    ASSERT_FALSE(view) << c.why;
    EXPECT_EQ(view.error().code, ErrorCode::kCorrupt) << c.why;
  }
}

TEST(Cid, KeepsLongDigestsAndCopiesThem) {
  const std::vector<uint8_t> bytes = hex("0155008001" + std::string(2 * 128, 'a'));
  const Cid cid(decode_cid(bytes).value());
  Cid copy = cid;
  EXPECT_EQ(copy, cid);
  EXPECT_EQ(to_hex(copy.bytes()), to_hex(bytes));
  EXPECT_TRUE(copy.view().is_identity());
  const Cid moved = std::move(copy);
  EXPECT_EQ(moved, cid);
  EXPECT_TRUE(copy.empty()) << "a moved-from Cid has no bytes";  // NOLINT(bugprone-use-after-move)
  copy = parse_cid(kEmptyRaw).value();
  EXPECT_EQ(copy.text(), kEmptyRaw);
}

TEST(Cid, AnyPrefixOfItsBytesIsRefused) {
  const Cid cid = parse_cid(kEmptyRaw).value();
  for (size_t length = 0; length < cid.bytes().size(); ++length) {
    EXPECT_FALSE(decode_cid(cid.bytes().first(length))) << length;
  }
}

}  // namespace
}  // namespace piecework::engine
