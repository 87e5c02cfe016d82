// MK12 messages: the bytes of what is sent, and replies that are strange. What providers make of them is tested with
// the adapter.
#include "engine/deal/mk12_wire.h"

#include <gtest/gtest.h>

#include "engine/codec/cbor_writer.h"
#include "tests/engine/deal/golden_deal.h"

namespace piecework::engine {
namespace {

Mk12Deal golden_mk12_deal() {
  Mk12Deal deal;
  for (size_t i = 0; i < deal.uuid.size(); ++i) deal.uuid[i] = static_cast<uint8_t>(i);
  deal.signed_proposal = decode_signed_proposal(from_hex(golden_value("client_deal_proposal_cbor"))).value();
  deal.payload_root = parse_cid("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi").value();
  return deal;
}

const std::string kRootLink =
    "d82a5825000170122" + std::string("0c3c4733ec8affd06cf9e9ff50ffc6bcd2ec85a6170004bb709669c31de94391a");

TEST(Mk12Wire, DealParamsAsCborGenWritesThem) {
  // By hand from the struct and cbor-gen's map encoding; the model in tests/deal/filecoin.py gives the same bytes.
  const std::string proposal = golden_value("client_deal_proposal_cbor");
  const std::string offline =
      "a7684465616c55554944"
      "50000102030405060708090a0b0c0d0e0f"
      "685472616e73666572"
      "a46453697a65006454797065606650617261" +
      std::string("6d73406843") +
      "6c69656e74494460"
      "6949734f66666c696e65f5"
      "6c4465616c44617461526f6f74" +
      kRootLink +
      "70536b697049504e49416e6e6f756e6365f4"
      "72436c69656e744465616c50726f706f73616c" +
      proposal + "7252656d6f7665556e7365616c6564436f7079f4";
  EXPECT_EQ(to_hex(encode_mk12_deal(golden_mk12_deal())), offline);
  Mk12Deal online = golden_mk12_deal();
  online.url = PieceUrl{"https://a/b", {{"X", "y"}}};
  online.payload_bytes = 1000;
  online.skip_ipni_announce = true;
  online.remove_unsealed_copy = true;
  const std::string parameters = R"({"URL":"https://a/b","Headers":{"X":"y"}})";
  const std::string hex = to_hex(encode_mk12_deal(online));
  EXPECT_NE(hex.find("6453697a651903e86454797065646874747066506172616d735829" + to_hex(as_bytes(parameters))),
            std::string::npos);
  EXPECT_NE(hex.find("6949734f66666c696e65f4"), std::string::npos);
  EXPECT_TRUE(hex.ends_with("436f7079f5"));
}

std::vector<uint8_t> response(std::string_view hex) { return from_hex(hex); }

TEST(Mk12Wire, Responses) {
  const Result<Mk12Response> accepted = decode_mk12_response(response("a2674d65737361676560684163636570746564f5"));
  ASSERT_TRUE(accepted) << accepted.error().message;
  EXPECT_TRUE(accepted->is_accepted);
  // In the other order, with a field that nobody knows.
  const Result<Mk12Response> refused = decode_mk12_response(
      response("a3684163636570746564f463466f6f82a061316" + std::string("74d65737361676562") + "6e6f"));
  ASSERT_TRUE(refused) << refused.error().message;
  EXPECT_FALSE(refused->is_accepted);
  EXPECT_EQ(refused->message, "no");
  for (const std::string_view hex : {
           "", "a0", "f6", "80",
           "a1684163636570746564f5",                                        // no message
           "a2674d65737361676560684163636570746564f6",                      // null for a boolean
           "a2674d65737361676560684163636570746564f500",                    // bytes behind it
           "a3674d65737361676560684163636570746564f5684163636570746564f4",  // accepted twice
           "a2674d6573736167656100684163636570746564",                      // cut off
           "bf674d65737361676560684163636570746564f5ff",                    // indefinite
           "bbffffffffffffffff674d65737361676560684163636570746564f5",      // without end
           "a2674d65737361676561ff684163636570746564f5",                    // not UTF-8
       }) {
    EXPECT_FALSE(decode_mk12_response(response(hex))) << hex;
  }
}

// A status reply of a provider, with `deal_status` already in CBOR.
std::vector<uint8_t> status_reply(const std::vector<uint8_t>& deal_status) {
  CborWriter writer;
  writer.map(6);
  writer.text("Error");
  writer.text("");
  writer.text("DealUUID");
  writer.byte_string(golden_mk12_deal().uuid);
  writer.text("IsOffline");
  writer.boolean(true);
  writer.text("DealStatus");
  writer.raw(deal_status);
  writer.text("TransferSize");
  writer.unsigned_integer(1);
  writer.text("NBytesReceived");
  writer.unsigned_integer(2);
  return writer.take();
}

std::vector<uint8_t> deal_status(bool has_publish_cid) {
  CborWriter writer;
  writer.map(7);
  writer.text("Error");
  writer.text("e");
  writer.text("Status");
  writer.text("Processing");
  writer.text("Proposal");
  writer.raw(encode_deal_proposal(golden_proposal()));
  writer.text("PublishCid");
  if (has_publish_cid) {
    writer.link(proposal_cid(golden_proposal()).bytes());
  } else {
    writer.null();
  }
  writer.text("ChainDealID");
  writer.unsigned_integer(5432);
  writer.text("SealingStatus");
  writer.text("s");
  writer.text("SignedProposalCid");
  writer.link(parse_cid(kGoldenSignedCid)->bytes());
  return writer.take();
}

TEST(Mk12Wire, Statuses) {
  for (const bool has_publish_cid : {false, true}) {
    const Result<Mk12StatusReply> reply = decode_mk12_status(status_reply(deal_status(has_publish_cid)));
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->uuid, golden_mk12_deal().uuid);
    EXPECT_TRUE(reply->is_offline);
    EXPECT_EQ(reply->transfer_bytes, 1U);
    EXPECT_EQ(reply->received_bytes, 2U);
    ASSERT_TRUE(reply->deal);
    EXPECT_EQ(reply->deal->proposal, golden_proposal());
    EXPECT_EQ(reply->deal->signed_proposal_cid.text(), kGoldenSignedCid);
    EXPECT_EQ(reply->deal->publish_cid.empty(), !has_publish_cid);
    EXPECT_EQ(reply->deal->chain_deal_id, 5432U);
    EXPECT_EQ(reply->deal->status + reply->deal->sealing_status + reply->deal->error, "Processingse");
  }
  EXPECT_FALSE(decode_mk12_status(status_reply({0xf6}))->deal);
  EXPECT_FALSE(decode_mk12_status(status_reply({0xf5})));
  const std::vector<uint8_t> whole = status_reply(deal_status(true));
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(decode_mk12_status(ByteSpan(whole).first(length))) << length;
  }
}

TEST(Mk12Wire, Queries) {
  EXPECT_EQ(to_hex(encode_mk12_status_query(golden_mk12_deal().uuid, {1, 2})),
            "a2684465616c5555494450000102030405060708090a0b0c0d0e0f695369676e6174757265420102");
  EXPECT_EQ(to_hex(encode_mk12_ask_query(Address::of_actor(1000))), "a1654d696e65724300e807");
}

}  // namespace
}  // namespace piecework::engine
