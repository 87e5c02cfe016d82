// Evidence: a deal counts as ours only where every field is; each field that is another's makes it another's.
#include "engine/deal/deal_evidence.h"

#include <gtest/gtest.h>

#include <functional>

namespace piecework::engine {
namespace {

using nlohmann::json;

const Cid kPiece = parse_cid("baga6ea4seaqcrt7fzeo7au4e7nxpjsrrymyyulh3k5cmilu2kmh4cxzbu6dt2pi").value();
const Cid kOtherPiece = parse_cid("baga6ea4seaqao7s73y24kcutaosvacpdjgfe5pw76ooefnyqw4ynr3d2y6x2mpq").value();
const ChainPoint kPoint{"https://node", 1'800'000'000, 1'900, {{"bafytipset"}, 1'000, 1'799'970'000}};

OwnDeal own_deal() {
  OwnDeal own;
  own.proposal.piece_cid = kPiece;
  own.proposal.padded_bytes = 2048;
  own.proposal.client = Address::of_actor(200);
  own.proposal.provider = Address::of_actor(1000);
  own.proposal.label.content = "bafy";
  own.proposal.start_epoch = 900;
  own.proposal.end_epoch = 600'000;
  own.proposal.price_per_epoch = AttoFil(7);
  own.proposal.provider_collateral = AttoFil(8);
  own.client_id = Address::of_actor(200);
  return own;
}

SectorSighting alive() { return {SectorInfo{9, 950, 700'000}, false}; }

TEST(DealEvidence, AMarketDealInALiveSectorIsActive) {
  const MarketDeal deal{own_deal().proposal, 9, 950, -1};
  const Observation seen = judge_market_deal(kPoint, own_deal(), 77, deal, alive(), "ab");
  EXPECT_EQ(name_of(seen.verdict), "active");
  EXPECT_TRUE(seen.is_ours && seen.is_finalized);
  EXPECT_EQ(seen.facts.deal_id, 77u);
  EXPECT_EQ(seen.facts.sector, 9u);
  EXPECT_EQ(seen.facts.activation_epoch, 950);
  EXPECT_EQ(seen.facts.expiration_epoch, 700'000);
  EXPECT_EQ(seen.tipset_epoch, 1'000);
  EXPECT_EQ(seen.head_epoch, 1'900);
  EXPECT_EQ(seen.tipset, "bafytipset");
  EXPECT_EQ(seen.raw_sha256, "ab");
}

TEST(DealEvidence, TheStateOfTheDealAndOfItsSectorDecides) {
  const auto verdict = [](const MarketDeal& deal, const std::optional<SectorSighting>& sighting) {
    const Observation seen = judge_market_deal(kPoint, own_deal(), 77, deal, sighting, "");
    EXPECT_EQ(seen.is_ours, seen.verdict != Verdict::kUnclear);
    return name_of(seen.verdict);
  };
  const DealProposal ours = own_deal().proposal;
  EXPECT_EQ(verdict({ours, std::nullopt, -1, -1}, std::nullopt), "on_chain");
  EXPECT_EQ(verdict({ours, 9, 950, 980}, alive()), "terminated");
  EXPECT_EQ(verdict({ours, 9, 950, -1}, SectorSighting{SectorInfo{9, 950, 700'000}, true}), "faulty");
  EXPECT_EQ(verdict({ours, 9, 950, -1}, SectorSighting{}), "unclear") << "there, and its sector is not";
  EXPECT_EQ(verdict({ours, 9, 950, -1}, std::nullopt), "active") << "the market alone says so";
}

TEST(DealEvidence, OneFieldThatIsNotOursIsEnough) {
  const std::vector<std::function<void(DealProposal&)>> changes = {
      [](DealProposal& p) { p.piece_cid = kOtherPiece; },
      [](DealProposal& p) { p.padded_bytes *= 2; },
      [](DealProposal& p) { p.is_verified = true; },
      [](DealProposal& p) { p.client = Address::of_actor(201); },
      [](DealProposal& p) { p.provider = Address::of_actor(1001); },
      [](DealProposal& p) { p.label.content = "bafx"; },
      [](DealProposal& p) { ++p.start_epoch; },
      [](DealProposal& p) { --p.end_epoch; },
      [](DealProposal& p) { p.price_per_epoch = AttoFil(6); },
      [](DealProposal& p) { p.provider_collateral = AttoFil(9); },
      [](DealProposal& p) { p.client_collateral = AttoFil(1); },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    DealProposal other = own_deal().proposal;
    changes[i](other);
    const Observation seen = judge_market_deal(kPoint, own_deal(), 77, {other, 9, 950, -1}, alive(), "");
    EXPECT_EQ(name_of(seen.verdict), "foreign") << i;
    EXPECT_FALSE(seen.is_ours) << i;
    EXPECT_FALSE(seen.facts.deal_id) << i;
  }
}

TEST(DealEvidence, AClaimOutlivesItsSector) {
  const Claim ours{200, 1000, kPiece, 2048, 950, 700'000, 9};
  const auto judge = [](const Claim& claim, const std::optional<SectorSighting>& sighting) {
    return judge_claim(kPoint, own_deal(), 5, claim, sighting, "");
  };
  EXPECT_EQ(name_of(judge(ours, alive()).verdict), "active");
  EXPECT_EQ(judge(ours, alive()).facts.claim_id, 5u);
  EXPECT_EQ(name_of(judge(ours, SectorSighting{}).verdict), "not_found");
  EXPECT_EQ(name_of(judge(ours, SectorSighting{SectorInfo{9, 1, 1'000}, false}).verdict), "not_found");
  EXPECT_EQ(name_of(judge(ours, std::nullopt).verdict), "unclear");
  for (const Claim& other :
       {Claim{201, 1000, kPiece, 2048, 950, 1, 9}, Claim{200, 1001, kPiece, 2048, 950, 1, 9},
        Claim{200, 1000, kOtherPiece, 2048, 950, 1, 9}, Claim{200, 1000, kPiece, 4096, 950, 1, 9}}) {
    EXPECT_EQ(name_of(judge(other, alive()).verdict), "foreign");
    EXPECT_FALSE(judge(other, alive()).is_ours);
  }
}

TEST(DealEvidence, ASectorOfAnEvent) {
  EXPECT_EQ(name_of(judge_sector(kPoint, 9, alive(), "").verdict), "active");
  EXPECT_EQ(name_of(judge_sector(kPoint, 9, SectorSighting{}, "").verdict), "not_found");
  EXPECT_FALSE(judge_sector(kPoint, 9, SectorSighting{}, "").is_ours);
}

TEST(DealEvidence, EventsOfTheMarket) {
  const json filter = published_event_filter(Address::of_actor(1000), 't', 5, 9);
  // CBOR: text "deal-published", unsigned 1000.
  EXPECT_EQ(filter.dump(), R"({"addresses":["t05"],"fields":{"$type":[{"codec":81,"value":"bmRlYWwtcHVibGlzaGVk"}],)"
                           R"("provider":[{"codec":81,"value":"GQPo"}]},"fromHeight":5,"toHeight":9})");
  const auto ids = [](std::string_view text) { return parse_published_ids(json::parse(text)); };
  EXPECT_EQ(ids(R"([{"reverted":false,"entries":[{"Key":"id","Value":"GRN4"},{"Key":"client","Value":"GMg="}]},
                   {"reverted":true,"entries":[{"Key":"id","Value":"GRN5"}]}])"),
            (std::vector<uint64_t>{4984}));
  EXPECT_EQ(ids("[]"), std::vector<uint64_t>{});
  for (const char* text : {"{}", R"([{"entries":[]}])", R"([{"reverted":false}])", R"(["x"])",
                           R"([{"reverted":false,"entries":[{"Key":"id","Value":"bmRl"}]}])",
                           R"([{"reverted":false,"entries":[{"Key":"id"}]}])"}) {
    EXPECT_FALSE(ids(text)) << text;
  }
}

}  // namespace
}  // namespace piecework::engine
