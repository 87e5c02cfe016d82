// Proposals against the bytes and CIDs of other implementations; what must not be signed; strict decoding.
#include "engine/deal/deal_proposal.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "engine/deal/big_int.h"
#include "engine/deal/proposal_reader.h"
#include "tests/engine/deal/golden_deal.h"

namespace piecework::engine {
namespace {

SignedProposal golden_signed() {
  const std::vector<uint8_t> all = from_hex(golden_value("client_deal_proposal_cbor"));
  return decode_signed_proposal(all).value();
}

TEST(DealProposal, BytesOfOtherImplementations) {
  EXPECT_EQ(to_hex(encode_deal_proposal(golden_proposal())), golden_value("proposal_cbor"));
  EXPECT_EQ(decode_deal_proposal(from_hex(golden_value("proposal_cbor"))).value(), golden_proposal());
  const SignedProposal signed_proposal = golden_signed();
  EXPECT_EQ(signed_proposal.proposal, golden_proposal());
  EXPECT_EQ(to_hex(encode_signed_proposal(signed_proposal)), golden_value("client_deal_proposal_cbor"));
}

TEST(DealProposal, TheThreeCids) {
  EXPECT_EQ(proposal_cid(golden_proposal()).text(), golden_value("proposal_cid"));
  EXPECT_EQ(onchain_proposal_cid(golden_proposal(), Address::of_actor(200)).text(), kGoldenOnchainCid);
  EXPECT_EQ(signed_proposal_cid(golden_signed()).text(), kGoldenSignedCid);
}

TEST(DealProposal, GoldenProposalMayBeSigned) {
  const Status status = check_deal_proposal(golden_proposal());
  EXPECT_TRUE(status) << status.error().message;
}

struct Refused {
  std::string field;  // what the message must name
  std::function<void(DealProposal&)> change;
};

TEST(DealProposal, WhatMustNotBeSigned) {
  const Refused cases[] = {
      {"Label", [](DealProposal& p) { p.label.content.assign(257, 'x'); }},
      {"Label", [](DealProposal& p) { p.label.content = "\xff"; }},
      {"Client", [](DealProposal& p) { p.client = Address(); }},
      {"delegated",
       [](DealProposal& p) { p.client = Address::parse("f410f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gmy", 'f').value(); }},
      {"BLS",
       [](DealProposal& p) {
         p.client = Address::parse(
                        "f3vvmn62lofvhjd2ugzca6sof2j2ubwok6cj4xxbfzz4yuxfkgobpihhd2thlanmsh3w2ptld2gqkn2jvlss4a", 'f')
                        .value();
       }},
      {"Client",
       [](DealProposal& p) { p.client = Address::parse("f24vg6ut43yw2h2jqydgbg2xq7x6f4kub3bg6as6i", 'f').value(); }},
      {"Provider", [](DealProposal& p) { p.provider = p.client; }},
      {"Provider", [](DealProposal& p) { p.provider = Address(); }},
      {"Provider", [](DealProposal& p) { p.client = p.provider; }},
      {"PieceCID", [](DealProposal& p) { p.piece_cid = Cid(); }},
      {"PieceCID",
       [](DealProposal& p) {
         p.piece_cid = parse_cid("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi").value();
       }},
      {"PieceSize", [](DealProposal& p) { p.padded_bytes = (uint64_t{32} << 30) - 1; }},
      {"PieceSize", [](DealProposal& p) { p.padded_bytes = 64; }},
      {"PieceSize", [](DealProposal& p) { p.padded_bytes = uint64_t{128} << 30; }},
      {"StartEpoch", [](DealProposal& p) { p.start_epoch = 0; }},
      {"EndEpoch", [](DealProposal& p) { p.end_epoch = p.start_epoch; }},
      {"EndEpoch", [](DealProposal& p) { p.end_epoch = p.start_epoch - 1; }},
      {"duration", [](DealProposal& p) { p.end_epoch = p.start_epoch + 518'399; }},
      {"duration", [](DealProposal& p) { p.end_epoch = p.start_epoch + 3'680'641; }},
  };
  for (const Refused& refused : cases) {
    DealProposal proposal = golden_proposal();
    refused.change(proposal);
    const Status status = check_deal_proposal(proposal);
    ASSERT_FALSE(status) << refused.field;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(status.error().side, ErrorSide::kConfig);
    EXPECT_NE(status.error().message.find(refused.field), std::string::npos) << status.error().message;
  }
}

TEST(DealProposal, LimitsThemselvesMayBeSigned) {
  DealProposal proposal = golden_proposal();
  proposal.label = {std::string(256, '\xff'), false};
  proposal.end_epoch = proposal.start_epoch + 518'400;
  EXPECT_TRUE(check_deal_proposal(proposal));
  EXPECT_EQ(decode_deal_proposal(encode_deal_proposal(proposal)).value(), proposal);
  proposal.client = Address::of_actor(200);
  proposal.end_epoch = proposal.start_epoch + 3'680'640;
  proposal.price_per_epoch = AttoFil::max();
  proposal.client_collateral = AttoFil(255);
  EXPECT_TRUE(check_deal_proposal(proposal));
  EXPECT_EQ(decode_deal_proposal(encode_deal_proposal(proposal)).value(), proposal);
  EXPECT_LE(encode_signed_proposal({proposal, std::vector<uint8_t>(66)}).size(), kSignedProposalBytesMax);
}

// The golden bytes with `from` (which occurs once) replaced by `to`.
std::vector<uint8_t> altered(const std::string& from, const std::string& to) {
  std::string hex = golden_value("proposal_cbor");
  const size_t at = hex.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  EXPECT_EQ(hex.find(from, at + 1), std::string::npos) << from;
  hex.replace(at, from.size(), to);
  return from_hex(hex);
}

TEST(DealProposal, DecodingIsStrict) {
  const std::string label_head = "783b62616679";  // text of 59 bytes, "bafy"
  const std::string label_257 = "790101" + std::string(2 * (257 - 59), '6') + "62616679";
  const struct {
    std::string why;
    std::vector<uint8_t> bytes;
  } cases[] = {
      {"fields", altered("8bd82a", "8ad82a")},                          // ten fields announced
      {"fields", altered("8bd82a", "8cd82a")},                          // twelve
      {"bytes after", from_hex(golden_value("proposal_cbor") + "40")},  // eleven announced, twelve there
      {"ends", from_hex(golden_value("proposal_cbor").substr(0, golden_value("proposal_cbor").size() - 2))},
      {"label of more", altered(label_head, label_257)},
      {"shortest", altered("1b0000000800000000f4", "1b000000000000000cf4")},  // a size that one byte holds
      {"shortest", altered("1a004c4b40", "1b00000000004c4b40")},              // a start epoch in eight bytes
      {"leading zeros", altered("480011c37937e08000", "49000011c37937e08000")},
      {"negative", altered("480011c37937e08000", "480111c37937e08000")},
      {"sign byte", altered("480011c37937e08000", "4711c37937e08000")},
      {"than can exist", altered("480011c37937e08000", "4e00" + std::string(26, 'f'))},
      {"true or false", altered("00000000f4", "00000000f6")},
      {"expected a byte string", altered("4300e807", "6300e807")},
      {"an address", altered("4300e807", "4305e807")},
      {"link", altered("d82a5828000181e203", "d82a5828010181e203")},
  };
  for (const auto& [why, bytes] : cases) {
    const Result<DealProposal> decoded = decode_deal_proposal(bytes);
    ASSERT_FALSE(decoded) << why;
    EXPECT_EQ(decoded.error().code, ErrorCode::kCorrupt);
    EXPECT_NE(decoded.error().message.find(why), std::string::npos) << why << ": " << decoded.error().message;
  }
}

TEST(DealProposal, NoPrefixAndNoChangedByteGivesTheSameProposal) {
  const std::vector<uint8_t> golden = encode_signed_proposal(golden_signed());
  for (size_t length = 0; length < golden.size(); ++length) {
    EXPECT_FALSE(decode_signed_proposal(ByteSpan(golden).first(length))) << length;
  }
  for (size_t i = 0; i < golden.size(); ++i) {
    std::vector<uint8_t> changed = golden;
    changed[i] ^= 1;
    const Result<SignedProposal> decoded = decode_signed_proposal(changed);
    if (!decoded) continue;
    EXPECT_NE(*decoded, golden_signed()) << i;
    EXPECT_EQ(encode_signed_proposal(*decoded), changed) << i;  // what is read has one encoding
  }
}

TEST(BigInt, EdgesHaveOneEncoding) {
  const struct {
    AttoFil amount;
    std::string hex;
  } cases[] = {{AttoFil(0), ""},
               {AttoFil(1), "0001"},
               {AttoFil(255), "00ff"},
               {AttoFil(256), "000100"},
               {AttoFil(std::numeric_limits<uint64_t>::max()), "00ffffffffffffffff"}};
  for (const auto& [amount, hex] : cases) {
    EXPECT_EQ(to_hex(encode_big_int(amount)), hex);
    EXPECT_EQ(decode_big_int(from_hex(hex)).value(), amount);
  }
  EXPECT_EQ(decode_big_int(encode_big_int(AttoFil::max())).value(), AttoFil::max());
}

TEST(CborReading, SkipsWhateverThereIs) {
  // {"a": [1, [2, {}], h'00'], 42(h'')...} then 7; a tag's content is one item.
  const std::vector<uint8_t> items = from_hex("a26161830182028041006162c1a16178f607");
  CborReader reader(items);
  ASSERT_TRUE(skip_cbor_item(reader));
  EXPECT_EQ(read_cbor_unsigned(reader).value(), 7U);
  EXPECT_TRUE(reader.at_end());
  // Counts that nothing backs, each larger than the last.
  for (const std::string hex : {"9bffffffffffffffff", "bbffffffffffffffff", "829bffffffffffffffff9bffffffffffffffff",
                                "9a7fffffff00", "5bffffffffffffffff"}) {
    const std::vector<uint8_t> bytes = from_hex(hex);
    CborReader hostile(bytes);
    EXPECT_FALSE(skip_cbor_item(hostile)) << hex;
  }
  const std::vector<uint8_t> deep(100'000, 0x81);
  CborReader nested(deep);
  EXPECT_FALSE(skip_cbor_item(nested));
}

TEST(CborReading, IntegersOfSixtyThreeBits) {
  const struct {
    std::string hex;
    int64_t value;
  } cases[] = {{"00", 0}, {"20", -1}, {"1b7fffffffffffffff", INT64_MAX}, {"3b7fffffffffffffff", INT64_MIN}};
  for (const auto& [hex, value] : cases) {
    const std::vector<uint8_t> bytes = from_hex(hex);
    CborReader reader(bytes);
    EXPECT_EQ(read_cbor_integer(reader).value(), value);
  }
  for (const std::string hex : {"1b8000000000000000", "3b8000000000000000", "40"}) {
    const std::vector<uint8_t> bytes = from_hex(hex);
    CborReader reader(bytes);
    EXPECT_FALSE(read_cbor_integer(reader)) << hex;
  }
}

}  // namespace
}  // namespace piecework::engine
