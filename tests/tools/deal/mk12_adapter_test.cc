// MK12 against the model of a provider: the life of a proposal, and what each fault comes to.
#include "tools/deal/mk12_adapter.h"

#include <gtest/gtest.h>

#include "tests/support/fake_server.h"
#include "tests/tools/deal/deal_terms.h"

namespace piecework::tools {
namespace {

using engine::PreparedDeal;
using engine::ProviderView;
using engine::SubmitOutcome;
using engine::SubmitVerdict;
using testing::FakeProvider;

constexpr std::string_view kStore = "POST /market/mk12/store";

// A provider and an adapter that speaks with it.
struct Market {
  explicit Market(const std::vector<std::string>& flags = {}, int64_t timeout_ms = 20'000)
      : provider(flags),
        http(io::HttpClient::create({}).value()),
        signer(engine::KeySigner::make(engine::golden_key()).value()),
        adapter({.base_url = provider.url(), .submit_timeout_ms = timeout_ms, .unix_time_ms = system_unix_time_ms},
                http, signer) {}

  FakeProvider provider;
  io::HttpClient http;
  engine::KeySigner signer;
  Mk12Adapter adapter;
};

TEST(Mk12Adapter, ADealIsTakenAndAskedFor) {
  Market market;
  const Result<PreparedDeal> deal = market.adapter.prepare(deal_terms());
  ASSERT_TRUE(deal) << deal.error().message;
  EXPECT_FALSE(deal->onchain_cid.empty());
  EXPECT_NE(deal->onchain_cid, deal->proposal_cid);
  EXPECT_EQ(market.provider.requests().size(), 0U);  // preparing sends nothing

  const SubmitOutcome outcome = market.adapter.submit(*deal, false);
  EXPECT_EQ(outcome.verdict, SubmitVerdict::kAccepted) << outcome.reason;
  const nlohmann::json deals = market.provider.deals();
  ASSERT_EQ(deals.size(), 1U);
  EXPECT_EQ(deals[0]["key"], deal->client_key);
  EXPECT_EQ(deals[0]["signed_cid"], deal->signed_proposal_cid.text());

  engine::StatusClaim claim = market.adapter.status(*deal);
  EXPECT_EQ(claim.view, ProviderView::kHasDeal) << claim.message;
  EXPECT_EQ(claim.stage, "Processing");
  EXPECT_EQ(claim.deal_id, std::nullopt);
  EXPECT_EQ(claim.raw_sha256.size(), 64U);
  market.provider.set_deal({{"key", deal->client_key},
                            {"stage", "sealed"},
                            {"deal_id", 5432},
                            {"publish_cid", "bafy2bzaceckdwboldw7ijzkknnmwahkrj7pqtzmo3temxmeyszcxf7x2xtsdu"}});
  claim = market.adapter.status(*deal);
  EXPECT_EQ(claim.stage, "Sealed");
  EXPECT_EQ(claim.deal_id, 5432U);
  EXPECT_EQ(claim.publish_cid, "bafy2bzaceckdwboldw7ijzkknnmwahkrj7pqtzmo3temxmeyszcxf7x2xtsdu");
  market.provider.set_deal({{"key", deal->client_key}, {"error", "no space"}});
  claim = market.adapter.status(*deal);
  EXPECT_EQ(claim.view, ProviderView::kFailed);
  EXPECT_EQ(claim.message, "no space");
}

TEST(Mk12Adapter, DataByUrl) {
  Market market;
  engine::DealRequest request = deal_terms();
  request.transfer = engine::DataTransfer::kPull;
  request.urls = {{"https://archive.example/piece/baga", {{"Authorization", "Bearer of the provider"}}}};
  const PreparedDeal deal = market.adapter.prepare(request).value();
  EXPECT_EQ(market.adapter.submit(deal, false).verdict, SubmitVerdict::kAccepted);
  EXPECT_NE(
      as_text(deal.bytes)
          .find(R"({"URL":"https://archive.example/piece/baga","Headers":{"Authorization":"Bearer of the provider"}})"),
      std::string_view::npos);
}

TEST(Mk12Adapter, RefusalsInTheProvidersOwnWords) {
  Market market({"--provider", "1001"});
  const PreparedDeal deal = market.adapter.prepare(deal_terms()).value();
  const SubmitOutcome refused = market.adapter.submit(deal, false);
  EXPECT_EQ(refused.verdict, SubmitVerdict::kRejected);
  EXPECT_EQ(refused.reason, "the deal is for another provider");
  // The first time may have been taken, whatever is said the second time.
  EXPECT_EQ(market.adapter.submit(deal, true).verdict, SubmitVerdict::kUnknown);
}

struct FaultCase {
  std::string_view fault;
  SubmitVerdict verdict;
  bool is_taken;
  bool is_busy = false;
};

TEST(Mk12Adapter, WhatEachFaultComesTo) {
  Market market({}, 1'000);
  const FaultCase cases[] = {
      {"timeout_after", SubmitVerdict::kUnknown, true}, {"503_after", SubmitVerdict::kUnknown, true, true},
      {"reset_after", SubmitVerdict::kUnknown, true},   {"cut_after", SubmitVerdict::kUnknown, true},
      {"garbage_after", SubmitVerdict::kUnknown, true}, {"huge_after", SubmitVerdict::kUnknown, true},
      {"500_after", SubmitVerdict::kUnknown, true},     {"reset", SubmitVerdict::kUnknown, false},
      {"503", SubmitVerdict::kUnknown, false, true},    {"429", SubmitVerdict::kUnknown, false, true},
      {"408", SubmitVerdict::kUnknown, false},          {"425", SubmitVerdict::kUnknown, false},
      {"302", SubmitVerdict::kUnknown, false},          {"502", SubmitVerdict::kUnknown, false},
      {"garbage", SubmitVerdict::kUnknown, false},      {"400", SubmitVerdict::kRejected, false},
      {"403", SubmitVerdict::kRejected, false},         {"404", SubmitVerdict::kRejected, false},
  };
  engine::DealRequest terms = deal_terms();
  size_t taken_count = 0;
  for (const FaultCase& fault_case : cases) {
    // Equal terms give equal signed bytes, and those are one deal.
    ++terms.start_epoch;
    const PreparedDeal deal = market.adapter.prepare(terms).value();
    market.provider.inject(fault_case.fault, kStore);
    const SubmitOutcome outcome = market.adapter.submit(deal, false);
    EXPECT_EQ(outcome.verdict, fault_case.verdict) << fault_case.fault << ": " << outcome.reason;
    EXPECT_EQ(outcome.is_busy, fault_case.is_busy) << fault_case.fault;
    EXPECT_TRUE(outcome.was_sent) << fault_case.fault;
    EXPECT_EQ(outcome.retry_after_s, fault_case.fault == "429" ? 7 : 0);
    taken_count += fault_case.is_taken ? 1 : 0;
    EXPECT_EQ(market.provider.deals().size(), taken_count) << fault_case.fault;
    if (!fault_case.is_taken) continue;
    // The same bytes again make no second deal and prove nothing; the status closes it.
    EXPECT_EQ(market.adapter.submit(deal, true).verdict, SubmitVerdict::kUnknown) << fault_case.fault;
    EXPECT_EQ(market.adapter.status(deal).view, ProviderView::kHasDeal) << fault_case.fault;
    EXPECT_EQ(market.provider.deals().size(), taken_count) << fault_case.fault;
  }
}

TEST(Mk12Adapter, BoostNamesTheDealThatItHas) {
  Market market({"--duplicates", "boost"});
  const PreparedDeal deal = market.adapter.prepare(deal_terms()).value();
  market.provider.inject("reset_after", kStore);
  EXPECT_EQ(market.adapter.submit(deal, false).verdict, SubmitVerdict::kUnknown);
  EXPECT_EQ(market.adapter.submit(deal, true).verdict, SubmitVerdict::kAccepted);
  EXPECT_EQ(market.provider.deals().size(), 1U);
}

TEST(Mk12Adapter, NobodyListens) {
  Market market;
  Mk12Adapter nowhere({.base_url = "http://127.0.0.1:1", .unix_time_ms = system_unix_time_ms}, market.http,
                      market.signer);
  const PreparedDeal deal = nowhere.prepare(deal_terms()).value();
  const SubmitOutcome outcome = nowhere.submit(deal, false);
  EXPECT_EQ(outcome.verdict, SubmitVerdict::kUnknown);
  EXPECT_FALSE(outcome.was_sent);
  EXPECT_EQ(nowhere.status(deal).view, ProviderView::kNoAnswer);
}

TEST(Mk12Adapter, StatusOfWhatItDoesNotHave) {
  Market curio;
  Market boost({"--duplicates", "boost"});
  const PreparedDeal deal = curio.adapter.prepare(deal_terms()).value();
  EXPECT_EQ(curio.adapter.status(deal).view, ProviderView::kNoAnswer);  // its words are those of a failed database
  EXPECT_EQ(boost.adapter.status(deal).view, ProviderView::kHasNot);
  // Another proposal under our key is not our deal.
  ASSERT_EQ(curio.adapter.submit(deal, false).verdict, SubmitVerdict::kAccepted);
  PreparedDeal other = curio.adapter.prepare(deal_terms()).value();
  other.client_key = deal.client_key;
  other.signed_proposal_cid = other.proposal_cid;
  EXPECT_EQ(curio.adapter.status(other).view, ProviderView::kNoAnswer);
  for (const std::string_view fault : {"garbage", "503", "404", "reset"}) {
    curio.provider.inject(fault, "GET /market/mk12/status", 2);  // libcurl asks again on a new connection
    EXPECT_EQ(curio.adapter.status(deal).view, ProviderView::kNoAnswer) << fault;
    if (fault != "reset") curio.adapter.status(deal);
  }
}

TEST(Mk12Adapter, WhatIsNotPreparedIsNotSigned) {
  Market market;
  const auto refused = [&market](auto change) {
    engine::DealRequest request = deal_terms();
    change(request);
    const Result<PreparedDeal> deal = market.adapter.prepare(request);
    return deal ? std::string() : deal.error().message;
  };
  EXPECT_NE(refused([](auto& r) { r.client = engine::Address::of_actor(200); }), "");
  EXPECT_NE(refused([](auto& r) {
              r.client = engine::Address::parse("t410f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gmy", 't').value();
            }).find("f410"),
            std::string::npos);
  EXPECT_NE(refused([](auto& r) { r.label.assign(257, 'x'); }).find("Label"), std::string::npos);
  // A total where the price per epoch belongs.
  EXPECT_NE(refused([](auto& r) {
              r.price =
                  engine::price_of(engine::AttoFil(1'000'000), r.padded_bytes, r.end_epoch - r.start_epoch).value();
              r.price.per_epoch = r.price.total;
            }).find("disagree"),
            std::string::npos);
  EXPECT_NE(refused([](auto& r) { r.payload_bytes = 2 << 20; }), "");
  EXPECT_NE(refused([](auto& r) { r.padded_bytes = 3 << 20; }), "");
  EXPECT_NE(refused([](auto& r) { r.end_epoch = r.start_epoch + 100; }).find("duration"), std::string::npos);
  EXPECT_NE(refused([](auto& r) { r.transfer = engine::DataTransfer::kPush; }), "");
  EXPECT_NE(refused([](auto& r) { r.transfer = engine::DataTransfer::kPull; }), "");
  EXPECT_NE(refused([](auto& r) {
              r.transfer = engine::DataTransfer::kPull;
              r.urls = {{"http://archive.example/", {}}};
            }).find("https"),
            std::string::npos);
  EXPECT_NE(refused([](auto& r) { r.allocation_id = 7; }), "");
  EXPECT_EQ(refused([](auto&) {}), "");
}

TEST(Mk12Adapter, AsksForThePrice) {
  Market market({"--price", "12345"});
  const Result<engine::Mk12Ask> ask = market.adapter.ask(engine::Address::of_actor(1000));
  ASSERT_TRUE(ask) << ask.error().message;
  EXPECT_EQ(ask->price_per_gib_epoch.text(), "12345");
  EXPECT_EQ(ask->padded_bytes_max, uint64_t{64} << 30);
  EXPECT_EQ(ask->provider, engine::Address::of_actor(1000));
  EXPECT_EQ(market.adapter.ask(engine::Address::of_actor(1)).error().code, ErrorCode::kUnavailable);

  engine::DealRequest request = deal_terms();
  const PreparedDeal cheap = market.adapter.prepare(request).value();
  EXPECT_EQ(market.adapter.submit(cheap, false).verdict, SubmitVerdict::kRejected);
  request.price =
      engine::price_of(ask->price_per_gib_epoch, request.padded_bytes, request.end_epoch - request.start_epoch).value();
  EXPECT_EQ(request.price.per_epoch.text(), "25");  // 12345 for two of 1,024 MiB, rounded up
  EXPECT_EQ(market.adapter.submit(market.adapter.prepare(request).value(), false).verdict, SubmitVerdict::kAccepted);
}

}  // namespace
}  // namespace piecework::tools
