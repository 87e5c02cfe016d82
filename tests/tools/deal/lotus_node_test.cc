// Reading the chain from a node: what is asked, and what each kind of answer comes to.
#include "tools/deal/lotus_node.h"

#include <gtest/gtest.h>

#include "engine/codec/cbor_writer.h"
#include "kernels/base/text.h"
#include "tests/engine/deal/golden_deal.h"
#include "tests/support/fake_server.h"

namespace piecework::tools {
namespace {

using engine::Address;
using nlohmann::json;

const std::string kCid = "bafy2bzaceckdwboldw7ijzkknnmwahkrj7pqtzmo3temxmeyszcxf7x2xtsdu";

json link(const std::string& cid) { return {{"/", cid}}; }

json tipset(int64_t epoch) {
  return {{"Cids", json::array({link(kCid)})},
          {"Blocks", json::array({{{"Timestamp", 1'598'306'400 + 30 * epoch}}})},
          {"Height", epoch}};
}

class LotusNodes : public ::testing::Test {
 protected:
  LotusNodes()
      : http_(io::HttpClient::create({}).value()), node_(rpc_.url() + "/rpc/v1", "the-token", 'f', http_, 20'000) {
    at_.key = {kCid};
    at_.epoch = 5'000'000;
  }
  void answer(std::string_view method, const json& reply) { rpc_.answer("Filecoin." + std::string(method), reply); }
  json last_parameters() { return rpc_.calls().back()["params"]; }

  testing::ScriptedRpc rpc_;
  io::HttpClient http_;
  LotusNode node_;
  engine::ChainTipset at_;
};

TEST_F(LotusNodes, Positions) {
  answer("ChainHead", {{"result", tipset(5'000'900)}});
  answer("ChainGetFinalizedTipSet", {{"result", tipset(5'000'000)}});
  answer("ChainGetFinalizedTipSet", {{"result", tipset(5'000'901)}});
  answer("ChainGetFinalizedTipSet", {{"status", 503}, {"text", "busy"}});
  const ChainAnswer<ChainPosition> position = node_.position();
  ASSERT_EQ(position.verdict, ChainVerdict::kFound) << position.message;
  EXPECT_EQ(position.value.tipset.epoch, 5'000'000);
  EXPECT_EQ(position.value.head.epoch, 5'000'900);
  EXPECT_EQ(rpc_.calls()[0]["authorization"], "Bearer the-token");
  EXPECT_EQ(node_.position().verdict, ChainVerdict::kNoAnswer);  // finalized ahead of the head
  EXPECT_EQ(node_.position().verdict, ChainVerdict::kNoAnswer);
}

TEST_F(LotusNodes, FoundNotFoundAndNoAnswer) {
  answer("StateLookupID", {{"result", "f0200"}});
  answer("StateLookupID", {{"error", {{"code", 11}, {"message", "actor not found"}}}});
  answer("StateLookupID", {{"error", {{"code", 1}, {"message", "tipset not found"}}}});
  answer("StateLookupID", {{"result", std::string(engine::kGoldenClientText)}});
  answer("StateLookupID", {{"result", 5}});
  answer("StateLookupID", {{"status", 200}, {"text", "<html>"}});
  const Address client = engine::golden_proposal().client;
  const ChainAnswer<Address> found = node_.lookup_id(client, at_);
  EXPECT_EQ(found.verdict, ChainVerdict::kFound);
  EXPECT_EQ(found.value, Address::of_actor(200));
  EXPECT_EQ(found.method, "Filecoin.StateLookupID");
  EXPECT_EQ(found.raw_sha256.size(), 64U);
  EXPECT_EQ(last_parameters(), json::array({engine::kGoldenClientText, json::array({link(kCid)})}));
  EXPECT_EQ(node_.lookup_id(client, at_).verdict, ChainVerdict::kNotFound);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(node_.lookup_id(client, at_).verdict, ChainVerdict::kNoAnswer) << i;
  // A method that the node does not have is no news about anything.
  EXPECT_EQ(node_.market_deal(5432, at_).verdict, ChainVerdict::kNoAnswer);
}

TEST_F(LotusNodes, DealsAllocationsClaimsAndSectors) {
  answer("StateMarketStorageDeal",
         {{"error", {{"code", 1}, {"message", "deal 5432 not found - deal may not have completed sealing"}}}});
  EXPECT_EQ(node_.market_deal(5432, at_).verdict, ChainVerdict::kNotFound);
  EXPECT_EQ(last_parameters()[0], 5432);
  const json piece = link("baga6ea4seaqao7s73y24kcutaosvacpdjgfe5pw76ooefnyqw4ynr3d2y6x2mpq");
  answer("StateGetAllocation", {{"result", nullptr}});
  EXPECT_EQ(node_.allocation(Address::of_actor(200), 77, at_).verdict, ChainVerdict::kNotFound);
  EXPECT_EQ(last_parameters()[0], "f0200");
  answer("StateGetClaim", {{"result",
                            {{"Provider", 1000},
                             {"Client", 200},
                             {"Data", piece},
                             {"Size", 2048},
                             {"TermMax", 9},
                             {"TermStart", 8},
                             {"Sector", 7}}}});
  EXPECT_EQ(node_.claim(Address::of_actor(1000), 77, at_).value.sector, 7U);
  EXPECT_EQ(last_parameters(), json::array({"f01000", 77, json::array({link(kCid)})}));
  answer("StateSectorGetInfo", {{"result", {{"SectorNumber", 7}, {"Activation", 8}, {"Expiration", 9}}}});
  EXPECT_EQ(node_.sector(Address::of_actor(1000), 7, at_).verdict, ChainVerdict::kFound);
  EXPECT_EQ(node_.sector(Address::of_actor(1000), 8, at_).verdict, ChainVerdict::kNoAnswer);
  answer("StateMinerFaults", {{"result", {7, 1}}});
  answer("StateMinerFaults", {{"error", {{"code", 1}, {"message", "actor not found"}}}});
  EXPECT_EQ(node_.is_faulty(Address::of_actor(1000), 7, at_).value, true);
  EXPECT_EQ(node_.is_faulty(Address::of_actor(1000), 7, at_).verdict, ChainVerdict::kNoAnswer);
}

TEST_F(LotusNodes, TermsAndMoney) {
  answer("StateNetworkName", {{"result", "mainnet"}});
  EXPECT_EQ(node_.network_name().value, "mainnet");
  answer("StateMinerInfo", {{"result", {{"Owner", "f0100"}, {"Worker", "f0101"}, {"SectorSize", 2048}}}});
  EXPECT_EQ(node_.miner_info(Address::of_actor(1000), at_).value.sector_bytes, 2048U);
  answer("StateDealProviderCollateralBounds", {{"result", {{"Min", "5"}, {"Max", "7"}}}});
  EXPECT_EQ(node_.collateral_bounds(2048, false, at_).value.least.text(), "5");
  EXPECT_EQ(last_parameters()[1], false);
  answer("StateMarketBalance", {{"result", {{"Escrow", "10"}, {"Locked", "3"}}}});
  EXPECT_EQ(node_.market_balance(Address::of_actor(200), at_).value.escrow.text(), "10");
  answer("StateVerifiedClientStatus", {{"result", nullptr}});
  EXPECT_EQ(node_.verified_bytes(Address::of_actor(200), at_).verdict, ChainVerdict::kNotFound);
}

TEST_F(LotusNodes, WhichIdAPublishedProposalGot) {
  const engine::SignedProposal ours =
      engine::decode_signed_proposal(engine::from_hex(engine::golden_value("client_deal_proposal_cbor"))).value();
  engine::CborWriter parameters;
  parameters.array(1);
  parameters.array(1);
  parameters.raw(engine::encode_signed_proposal(ours));
  const engine::Cid publish_cid = engine::parse_cid(kCid).value();
  const engine::Cid signed_cid = engine::signed_proposal_cid(ours);
  const auto search_reply = [](int exit_code, const std::string& return_base64) -> json {
    return {{"result",
             {{"Message", link(kCid)},
              {"Receipt", {{"ExitCode", exit_code}, {"Return", return_base64}}},
              {"TipSet", json::array({link(kCid)})},
              {"Height", 4'999'000}}}};
  };
  const std::string taken = base64(engine::from_hex("8281191538410c"));  // id 5432
  answer("StateSearchMsg", search_reply(0, taken));
  answer("StateSearchMsg", search_reply(0, base64(engine::from_hex("828040"))));  // not taken
  answer("StateSearchMsg", search_reply(16, ""));
  answer("StateSearchMsg", {{"result", nullptr}});
  answer("StateSearchMsg", search_reply(0, base64(engine::from_hex("80"))));
  answer("ChainGetMessage",
         {{"result", {{"From", "f0101"}, {"To", "f05"}, {"Method", 4}, {"Params", base64(parameters.take())}}}});
  const auto ask = [&] { return node_.published_deal(publish_cid, signed_cid, 900, at_); };
  const ChainAnswer<uint64_t> found = ask();
  EXPECT_EQ(found.verdict, ChainVerdict::kFound) << found.message;
  EXPECT_EQ(found.value, 5432U);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask().verdict, ChainVerdict::kNotFound) << i;
  EXPECT_EQ(ask().verdict, ChainVerdict::kNoAnswer);  // a return value that is none
}

TEST_F(LotusNodes, EventsAreLookedAtAgain) {
  const auto event = [](const std::string& emitter, const std::string& type, int64_t epoch, bool is_reverted) -> json {
    engine::CborWriter value;
    value.text(type);
    return {{"entries", json::array({{{"Flags", 3}, {"Key", "$type"}, {"Codec", 81}, {"Value", base64(value.take())}},
                                     {{"Flags", 3}, {"Key", "sector"}, {"Codec", 81}, {"Value", "BQ=="}}})},
            {"emitter", emitter},
            {"reverted", is_reverted},
            {"height", epoch}};
  };
  const json events =
      json::array({event("f01000", "sector-activated", 15, false), event("f01000", "sector-activated", 15, true),
                   event("f01001", "sector-activated", 15, false), event("f01000", "claim", 15, false),
                   event("f01000", "sector-activated", 21, false)});
  answer("GetActorEventsRaw", {{"result", events}});
  answer("GetActorEventsRaw", {{"result", nullptr}});
  answer("GetActorEventsRaw", {{"error", {{"code", -32001}, {"message", "actor events API disabled"}}}});
  const auto ask = [this] {
    return node_.sector_events(Address::of_actor(1000), "sector-activated", engine::golden_proposal().piece_cid, 10,
                               20);
  };
  const ChainAnswer<std::vector<engine::SectorEvent>> found = ask();
  ASSERT_EQ(found.verdict, ChainVerdict::kFound);
  ASSERT_EQ(found.value.size(), 1U);
  EXPECT_EQ(found.value[0].sector, 5U);
  EXPECT_EQ(ask().verdict, ChainVerdict::kFound);
  EXPECT_TRUE(ask().value.empty());
  EXPECT_EQ(ask().verdict, ChainVerdict::kNoAnswer);
}

}  // namespace
}  // namespace piecework::tools
