// What nodes answer: replies as Lotus and Forest write them, errors by their words, and replies that are strange.
#include "engine/deal/chain_replies.h"

#include <gtest/gtest.h>

#include "engine/deal/bounded_json.h"
#include "kernels/base/text.h"
#include "tests/engine/deal/golden_deal.h"

namespace piecework::engine {
namespace {

using nlohmann::json;

io::HttpOutcome answered(std::string_view body, int status = 200) {
  io::HttpOutcome http;
  http.was_sent = true;
  http.reply = io::HttpReply{status, {body.begin(), body.end()}, 0};
  return http;
}

json parse(std::string_view text) { return parse_bounded_json(text).value(); }

TEST(RpcReplies, VerdictsByTheirWords) {
  const auto verdict = [](std::string_view body, int status = 200) {
    return judge_rpc_reply(answered(body, status)).verdict;
  };
  EXPECT_EQ(verdict(R"({"jsonrpc":"2.0","id":1,"result":"f0200"})"), RpcVerdict::kResult);
  EXPECT_EQ(verdict(R"({"jsonrpc":"2.0","id":1,"result":null})"), RpcVerdict::kNull);
  EXPECT_EQ(verdict(R"({"jsonrpc":"2.0","id":1})"), RpcVerdict::kNull);
  EXPECT_EQ(verdict(R"({"jsonrpc":"2.0","id":1,"result":false,"error":null})"), RpcVerdict::kResult);
  const auto error = [](std::string_view message, int code) {
    return json{{"jsonrpc", "2.0"}, {"id", 1}, {"error", {{"code", code}, {"message", message}}}}.dump();
  };
  const std::string_view not_found =
      "deal 5432 not found - deal may not have completed sealing before deal proposal "
      "start epoch, or deal may have been slashed";
  for (const int code : {1, 11, -32001, -32603}) {
    for (const int status : {200, 500}) {
      EXPECT_EQ(verdict(error(not_found, code), status), RpcVerdict::kNotFound);
      EXPECT_EQ(verdict(error("resolution lookup failed (f1x): actor not found", code), status), RpcVerdict::kNotFound);
      // What a node does not have, or does not do, is no news about a deal.
      for (const std::string_view message :
           {"method 'Filecoin.StateMinerFaults' not found", "failed to load tipset: block not found",
            "ipld: could not find bafy", "too many requests", "deal not found", "deal 5 was not found", ""}) {
        EXPECT_EQ(verdict(error(message, code), status), RpcVerdict::kNoAnswer) << message;
      }
    }
  }
  for (const std::string_view body :
       {"", "[]", "\"x\"", "<html>", R"({"id":1,"result":1})", R"({"jsonrpc":"1.0","result":1})",
        R"({"jsonrpc":"2.0","result":1)", R"({"jsonrpc":"2.0","error":"no"})"}) {
    EXPECT_EQ(verdict(body), RpcVerdict::kNoAnswer) << body;
  }
  EXPECT_EQ(verdict(R"({"jsonrpc":"2.0","id":1,"result":1})", 502), RpcVerdict::kNoAnswer);
  EXPECT_EQ(judge_rpc_reply({std::nullopt, true, "timed out"}).message, "timed out");
  EXPECT_EQ(judge_rpc_reply(answered(error("a\033[2Jb", 1))).message, "a\\x1b[2Jb");
}

TEST(RpcReplies, Requests) {
  EXPECT_EQ(encode_rpc_request("Filecoin.StateLookupID", json::array({"f1x", nullptr})),
            R"({"id":1,"jsonrpc":"2.0","method":"Filecoin.StateLookupID","params":["f1x",null]})");
}

constexpr std::string_view kTipset =
    R"({"Cids":[{"/":"bafy2bzaceckdwboldw7ijzkknnmwahkrj7pqtzmo3temxmeyszcxf7x2xtsdu"}],)"
    R"("Blocks":[{"Timestamp":1700000000,"Miner":"f01"}],"Height":5000100})";

TEST(ChainReplies, Tipsets) {
  const std::optional<ChainTipset> tipset = parse_tipset(parse(kTipset));
  ASSERT_TRUE(tipset);
  EXPECT_EQ(tipset->epoch, 5'000'100);
  EXPECT_EQ(tipset->timestamp_s, 1'700'000'000);
  EXPECT_EQ(tipset->parameter().dump(), R"([{"/":"bafy2bzaceckdwboldw7ijzkknnmwahkrj7pqtzmo3temxmeyszcxf7x2xtsdu"}])");
  for (const char* const pointer : {"/Cids", "/Blocks", "/Height", "/Cids/0", "/Blocks/0/Timestamp"}) {
    for (const json& value : {json(), json(-1), json("x"), json::array(), json::object()}) {
      json changed = parse(kTipset);
      changed[json::json_pointer(pointer)] = value;
      EXPECT_FALSE(parse_tipset(changed)) << pointer << " " << value;
    }
  }
}

// As deals.md has it, with the proposal of vectors.txt.
constexpr std::string_view kMarketDeal =
    R"({"Proposal":{"PieceCID":{"/":"baga6ea4seaqao7s73y24kcutaosvacpdjgfe5pw76ooefnyqw4ynr3d2y6x2mpq"},)"
    R"("PieceSize":34359738368,"VerifiedDeal":false,"Client":"f0200","Provider":"f01000",)"
    R"("Label":"bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi","StartEpoch":5000000,"EndEpoch":6468000,)"
    R"("StoragePricePerEpoch":"0","ProviderCollateral":"5000000000000000","ClientCollateral":"0"},)"
    R"("State":{"SectorNumber":9,"SectorStartEpoch":5000100,"LastUpdatedEpoch":-1,"SlashEpoch":-1}})";

TEST(ChainReplies, MarketDealsAndWhoseTheyAre) {
  const std::optional<MarketDeal> deal = parse_market_deal(parse(kMarketDeal), 'f');
  ASSERT_TRUE(deal);
  EXPECT_EQ(deal->sector, 9U);
  EXPECT_EQ(deal->sector_start_epoch, 5'000'100);
  EXPECT_EQ(deal->slash_epoch, -1);
  const Address client_id = Address::of_actor(200);
  EXPECT_TRUE(is_same_deal(deal->proposal, golden_proposal(), client_id));
  EXPECT_FALSE(is_same_deal(deal->proposal, golden_proposal(), Address::of_actor(201)));
  EXPECT_FALSE(is_same_deal(deal->proposal, golden_proposal(), Address()));
  EXPECT_FALSE(parse_market_deal(parse(kMarketDeal), 't'));  // a node of another network
  // Any field that differs makes it somebody else's; any that is missing or malformed makes it no answer.
  const std::pair<const char*, json> changes[] = {
      {"PieceCID", {{"/", "baga6ea4seaqdomn3tgwgrh3g532zopskstnbrd2n3sxfqbze7rxt7vqn7veigmy"}}},
      {"PieceSize", 17179869184},
      {"VerifiedDeal", true},
      {"Client", "f0201"},
      {"Provider", "f01001"},
      {"Label", "other"},
      {"StartEpoch", 5000001},
      {"EndEpoch", 6468001},
      {"StoragePricePerEpoch", "1"},
      {"ProviderCollateral", "0"},
      {"ClientCollateral", "1"}};
  for (const auto& [name, value] : changes) {
    json changed = parse(kMarketDeal);
    changed["Proposal"][name] = value;
    const std::optional<MarketDeal> other = parse_market_deal(parse(changed.dump()), 'f');
    ASSERT_TRUE(other) << name;
    EXPECT_FALSE(is_same_deal(other->proposal, golden_proposal(), client_id)) << name;
    for (const json& bad : {json(), json::array(), json(-1.5)}) {
      changed["Proposal"][name] = bad;
      EXPECT_FALSE(parse_market_deal(changed, 'f')) << name << bad;
    }
    changed["Proposal"].erase(name);
    EXPECT_FALSE(parse_market_deal(changed, 'f')) << name;
  }
  json waiting = parse(kMarketDeal);
  waiting["State"] = {{"SectorNumber", 0}, {"SectorStartEpoch", -1}, {"LastUpdatedEpoch", -1}, {"SlashEpoch", -1}};
  EXPECT_EQ(parse_market_deal(waiting, 'f')->sector, std::nullopt);  // 0 is not a sector's number here
}

TEST(ChainReplies, AllocationsClaimsAndSectors) {
  const std::string piece = R"({"/":"baga6ea4seaqao7s73y24kcutaosvacpdjgfe5pw76ooefnyqw4ynr3d2y6x2mpq"})";
  const std::optional<Allocation> allocation =
      parse_allocation(parse(R"({"Client":200,"Provider":1000,"Data":)" + piece +
                             R"(,"Size":34359738368,"TermMin":518400,"TermMax":5256000,"Expiration":5172800})"));
  ASSERT_TRUE(allocation);
  EXPECT_EQ(allocation->client_actor, 200U);
  EXPECT_EQ(allocation->expiration_epoch, 5'172'800);
  const std::optional<Claim> claim =
      parse_claim(parse(R"({"Provider":1000,"Client":200,"Data":)" + piece +
                        R"(,"Size":34359738368,"TermMin":518400,"TermMax":5256000,"TermStart":5000100,"Sector":9})"));
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->sector, 9U);
  EXPECT_EQ(claim->piece_cid, golden_proposal().piece_cid);
  const std::optional<SectorInfo> sector =
      parse_sector_info(parse(R"({"SectorNumber":9,"Activation":5000100,"Expiration":6468000,"DealWeight":"0"})"));
  ASSERT_TRUE(sector);
  EXPECT_EQ(sector->expiration_epoch, 6'468'000);
  EXPECT_FALSE(parse_allocation(json::object()));
  EXPECT_FALSE(parse_claim(json::array()));
  EXPECT_FALSE(parse_sector_info(parse(R"({"SectorNumber":-9,"Activation":5000100,"Expiration":6468000})")));
}

TEST(ChainReplies, BitFieldsAreRunsOfZerosAndOnes) {
  EXPECT_EQ(bit_field_has(parse("[5,3,2,1]"), 4), false);
  EXPECT_EQ(bit_field_has(parse("[5,3,2,1]"), 5), true);
  EXPECT_EQ(bit_field_has(parse("[5,3,2,1]"), 7), true);
  EXPECT_EQ(bit_field_has(parse("[5,3,2,1]"), 8), false);
  EXPECT_EQ(bit_field_has(parse("[5,3,2,1]"), 10), true);
  EXPECT_EQ(bit_field_has(parse("[5,3,2,1]"), 11), false);
  EXPECT_EQ(bit_field_has(parse("[0]"), 0), false);
  EXPECT_EQ(bit_field_has(parse("[]"), 0), false);
  for (const std::string_view text :
       {"{}", "[-1]", "[1.5]", "[\"1\"]", "[18446744073709551615,18446744073709551615]"}) {
    EXPECT_FALSE(bit_field_has(parse(text), 0)) << text;
  }
}

TEST(ChainReplies, ActorsAndMoney) {
  // /dns4/sp.example/tcp/443/https and a libp2p address.
  const std::string https = base64(from_hex("360a73702e6578616d706c650601bbbb03"));
  const std::string libp2p = base64(from_hex("04c0000201060fa1"));
  const std::optional<MinerInfo> miner =
      parse_miner_info(parse(R"({"Owner":"f0100","Worker":"f0101","SectorSize":34359738368,"Multiaddrs":[")" + https +
                             "\",\"" + libp2p + "\"]}"),
                       'f');
  ASSERT_TRUE(miner);
  EXPECT_EQ(miner->owner, Address::of_actor(100));
  EXPECT_EQ(miner->sector_bytes, 34'359'738'368U);
  EXPECT_EQ(miner->urls, std::vector<std::string>{"https://sp.example:443"});
  EXPECT_TRUE(parse_miner_info(parse(R"({"Owner":"f0100","Worker":"f0101","SectorSize":1,"Multiaddrs":null})"), 'f'));
  EXPECT_FALSE(parse_miner_info(parse(R"({"Owner":"t0100","Worker":"f0101","SectorSize":1})"), 'f'));
  EXPECT_EQ(parse_collateral_bounds(parse(R"({"Min":"5","Max":"7"})"))->least, AttoFil(5));
  EXPECT_FALSE(parse_collateral_bounds(parse(R"({"Min":"8","Max":"7"})")));
  EXPECT_FALSE(parse_collateral_bounds(parse(R"({"Min":5,"Max":7})")));
  EXPECT_EQ(parse_market_balance(parse(R"({"Escrow":"10","Locked":"3"})"))->locked, AttoFil(3));
  EXPECT_FALSE(parse_market_balance(parse(R"({"Escrow":"-10","Locked":"3"})")));
  EXPECT_EQ(parse_data_cap(parse(R"("1099511627776")")), uint64_t{1} << 40);
  EXPECT_FALSE(parse_data_cap(parse("5")));
  EXPECT_EQ(parse_address(parse(R"("f0200")"), 'f'), Address::of_actor(200));
  EXPECT_FALSE(parse_address(parse(R"("f0200")"), 't'));
}

TEST(ChainReplies, Messages) {
  const std::string cid = "bafy2bzaceckdwboldw7ijzkknnmwahkrj7pqtzmo3temxmeyszcxf7x2xtsdu";
  const std::string message = R"({"Message":{"/":")" + cid +
                              R"("},"Receipt":{"ExitCode":0,"Return":"ggEA","GasUsed":1},)"
                              R"("TipSet":[{"/":")" +
                              cid + R"("}],"Height":5000100})";
  const std::optional<SearchedMessage> searched = parse_searched_message(parse(message));
  ASSERT_TRUE(searched);
  EXPECT_EQ(searched->message_cid.text(), cid);
  EXPECT_EQ(to_hex(searched->return_value), "820100");
  EXPECT_EQ(searched->epoch, 5'000'100);
  for (const char* const pointer : {"/Message", "/Receipt/ExitCode", "/Height", "/TipSet"}) {
    json changed = parse(message);
    changed[json::json_pointer(pointer)] = "x";
    EXPECT_FALSE(parse_searched_message(changed)) << pointer;
  }
  json empty_return = parse(message);
  empty_return["Receipt"]["Return"] = nullptr;
  EXPECT_TRUE(parse_searched_message(empty_return)->return_value.empty());
  const std::optional<ChainMessage> sent = parse_chain_message(
      parse(R"({"From":"f3vvmn62lofvhjd2ugzca6sof2j2ubwok6cj4xxbfzz4yuxfkgobpihhd2thlanmsh3w2ptld2gqkn)"
            R"(2jvlss4a","To":"f05","Method":4,"Params":"gYA="})"),
      'f');
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->to, Address::of_actor(5));
  EXPECT_EQ(sent->method, 4U);
  EXPECT_EQ(to_hex(sent->parameters), "8180");
}

TEST(ChainReplies, Events) {
  const Cid piece = golden_proposal().piece_cid;
  const json filter = sector_event_filter(Address::of_actor(1000), 'f', "sector-activated", piece, 10, 20);
  // As deals.md has it: the CBOR text "sector-activated" in base64.
  EXPECT_EQ(filter["fields"]["$type"].dump(), R"([{"codec":81,"value":"cHNlY3Rvci1hY3RpdmF0ZWQ="}])");
  EXPECT_EQ(filter["fields"]["piece-cid"][0]["value"], base64(from_hex("d82a582800" + to_hex(piece.bytes()))));
  EXPECT_EQ(filter["addresses"].dump(), R"(["f01000"])");
  const std::string events =
      R"([{"entries":[{"Flags":3,"Key":"$type","Codec":81,"Value":"cHNlY3Rvci1hY3RpdmF0ZWQ="},)"
      R"({"Flags":3,"Key":"sector","Codec":81,"Value":"GQTS"},{"Flags":3,"Key":"unknown","Codec":85,"Value":""}],)"
      R"("emitter":"f01000","reverted":false,"height":15,"tipsetKey":[],)"
      R"("msgCid":{"/":"bafy2bzaceckdwboldw7ijzkknnmwahkrj7pqtzmo3temxmeyszcxf7x2xtsdu"}},)"
      R"({"entries":[],"emitter":"f01000","reverted":false,"height":15}])";
  const std::optional<std::vector<SectorEvent>> parsed = parse_sector_events(parse(events), 'f');
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->size(), 1U);
  EXPECT_EQ(parsed->front().type, "sector-activated");
  EXPECT_EQ(parsed->front().sector, 1234U);
  EXPECT_EQ(parsed->front().epoch, 15);
  EXPECT_FALSE(parsed->front().is_reverted);
  EXPECT_FALSE(parse_sector_events(parse(R"([{"entries":[],"emitter":"x","reverted":false,"height":15}])"), 'f'));
  EXPECT_FALSE(parse_sector_events(parse("{}"), 'f'));
}

}  // namespace
}  // namespace piecework::engine
