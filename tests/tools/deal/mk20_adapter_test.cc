// MK20 against the model of a provider: proposals, clocks, and uploads that are cut off.
#include "tools/deal/mk20_adapter.h"

#include <gtest/gtest.h>

#include "engine/piece/commp.h"
#include "kernels/sha256/sha256.h"
#include "tests/support/fake_server.h"
#include "tests/support/test_input.h"
#include "tests/tools/deal/deal_terms.h"

namespace piecework::tools {
namespace {

using engine::DataVerdict;
using engine::PreparedDeal;
using engine::ProviderView;
using engine::SubmitVerdict;
using testing::FakeProvider;

constexpr uint64_t kChunkBytes = 65536;
constexpr size_t kPayloadBytes = 10 * kChunkBytes + 1;

struct Market {
  explicit Market(const std::vector<std::string>& flags = {}, int64_t timeout_ms = 20'000)
      : provider(flags),
        http(io::HttpClient::create({}).value()),
        signer(engine::KeySigner::make(engine::golden_key()).value()),
        adapter({.base_url = provider.url(),
                 .submit_timeout_ms = timeout_ms,
                 .query_timeout_ms = timeout_ms,
                 .upload_timeout_ms = timeout_ms,
                 .unix_time_ms = [this] { return system_unix_time_ms() + clock_offset_ms; }},
                http, signer, kChunkBytes) {}

  FakeProvider provider;
  int64_t clock_offset_ms = 0;
  io::HttpClient http;
  engine::KeySigner signer;
  Mk20Adapter adapter;
};

engine::DealRequest upload_terms(const std::vector<uint8_t>& payload) {
  engine::DealRequest request = deal_terms();
  request.transfer = engine::DataTransfer::kPush;
  request.payload_bytes = payload.size();
  request.padded_bytes = 1 << 20;
  return request;
}

engine::PieceBytes piece_of(const std::vector<uint8_t>& payload) {
  return {.payload_bytes = payload.size(),
          .read = [&payload](MutableByteSpan target, uint64_t offset_bytes) -> Status {
            EXPECT_LE(offset_bytes + target.size(), payload.size());
            std::copy_n(payload.begin() + static_cast<ptrdiff_t>(offset_bytes), target.size(), target.begin());
            return {};
          },
          .on_progress = {}};
}

TEST(Mk20Adapter, ADealIsTakenAndAskedFor) {
  Market market;
  engine::DealRequest request = deal_terms();
  request.transfer = engine::DataTransfer::kPull;
  request.urls = {{"https://archive.example/a", {{"X-Token", "t"}}}, {"https://mirror.example/a", {}}};
  const Result<PreparedDeal> deal = market.adapter.prepare(request);
  ASSERT_TRUE(deal) << deal.error().message;
  EXPECT_TRUE(deal->signed_proposal_cid.empty());
  EXPECT_EQ(market.provider.requests().size(), 0U);
  EXPECT_EQ(market.adapter.status(*deal).view, ProviderView::kHasNot);
  const engine::SubmitOutcome outcome = market.adapter.submit(*deal, false);
  EXPECT_EQ(outcome.verdict, SubmitVerdict::kAccepted) << outcome.reason;
  ASSERT_EQ(market.provider.deals().size(), 1U);
  EXPECT_EQ(market.provider.deals()[0]["key"], deal->client_key);
  engine::StatusClaim claim = market.adapter.status(*deal);
  EXPECT_EQ(claim.view, ProviderView::kHasDeal);
  EXPECT_EQ(claim.stage, "accepted");
  EXPECT_FALSE(claim.awaits_data);
  market.provider.set_deal({{"key", deal->client_key}, {"stage", "failed"}, {"error", "sealing\u001b[2J failed"}});
  claim = market.adapter.status(*deal);
  EXPECT_EQ(claim.view, ProviderView::kFailed);
  EXPECT_EQ(claim.message, "sealing\\x1b[2J failed");  // escaped
}

TEST(Mk20Adapter, TheGoldenTermsInJson) {
  engine::DealRequest request = deal_terms();
  request.piece_root = {};
  request.transfer = engine::DataTransfer::kPull;
  request.urls = {{"https://arch/piece/baga", {}}};
  const engine::DealUlid ulid = engine::parse_deal_ulid("01ARZ3NDEKTSV4RRFFQ69G5FAV").value();
  EXPECT_EQ(
      engine::encode_mk20_deal(request, ulid),
      R"({"identifier":"01ARZ3NDEKTSV4RRFFQ69G5FAV","client":"t1ksu3ktw4xhyaoltwr546b3epfs5wxxqfyyxipwi",)"
      R"("data":{"piece_cid":{"/":")" +
          engine::piece_cid_v2_text({}, 1'500'000) +
          R"("},"format":{"car":{}},)"
          R"("source_http":{"urls":[{"url":"https://arch/piece/baga","headers":{},"priority":0,"fallback":true}]}},)"
          R"("products":{"ddo_v1":{"provider":"t01000","start_epoch":5000000,"duration":1468000,"allocation_id":null,)"
          R"("market_address":"","market_deal_id":null,"notification_address":"<empty>"},)"
          R"("retrieval_v1":{"indexing":true,"announce_payload":true,"announce_piece":false}}})");
}

TEST(Mk20Adapter, WhatEachFaultComesTo) {
  Market market({}, 1'000);
  const struct {
    std::string_view fault;
    SubmitVerdict verdict;
    bool is_taken;
  } cases[] = {
      {"timeout_after", SubmitVerdict::kUnknown, true}, {"503_after", SubmitVerdict::kUnknown, true},
      {"reset_after", SubmitVerdict::kUnknown, true},   {"cut_after", SubmitVerdict::kUnknown, true},
      {"garbage_after", SubmitVerdict::kUnknown, true}, {"500_after", SubmitVerdict::kUnknown, true},
      {"reset", SubmitVerdict::kUnknown, false},        {"503", SubmitVerdict::kUnknown, false},
      {"429", SubmitVerdict::kUnknown, false},          {"408", SubmitVerdict::kUnknown, false},
      {"425", SubmitVerdict::kUnknown, false},          {"garbage", SubmitVerdict::kUnknown, false},
      {"400", SubmitVerdict::kRejected, false},         {"426", SubmitVerdict::kRejected, false},
      {"441", SubmitVerdict::kRejected, false},
  };
  size_t taken_count = 0;
  for (const auto& [fault, verdict, is_taken] : cases) {
    const PreparedDeal deal = market.adapter.prepare(deal_terms()).value();
    market.provider.inject(fault, "POST /market/mk20/deal");
    EXPECT_EQ(market.adapter.submit(deal, false).verdict, verdict) << fault;
    taken_count += is_taken ? 1 : 0;
    EXPECT_EQ(market.provider.deals().size(), taken_count) << fault;
    EXPECT_EQ(market.adapter.status(deal).view, is_taken ? ProviderView::kHasDeal : ProviderView::kHasNot) << fault;
    if (!is_taken) continue;
    EXPECT_EQ(market.adapter.submit(deal, true).verdict, SubmitVerdict::kUnknown) << fault;  // "duplicate key"
    EXPECT_EQ(market.provider.deals().size(), taken_count) << fault;
  }
}

TEST(Mk20Adapter, RefusalsInTheProvidersOwnWords) {
  Market market({"--head", "4999999"});
  const PreparedDeal deal = market.adapter.prepare(deal_terms()).value();
  const engine::SubmitOutcome outcome = market.adapter.submit(deal, false);
  EXPECT_EQ(outcome.verdict, SubmitVerdict::kRejected);  // 425, with the market's own words
  EXPECT_EQ(outcome.http_status, 425);
  EXPECT_NE(outcome.reason.find("too soon"), std::string::npos) << outcome.reason;
  EXPECT_EQ(market.adapter.submit(deal, true).verdict, SubmitVerdict::kUnknown);
}

TEST(Mk20Adapter, WrongClocks) {
  Market market;
  const PreparedDeal deal = market.adapter.prepare(deal_terms()).value();
  ASSERT_EQ(market.adapter.submit(deal, false).verdict, SubmitVerdict::kAccepted);
  market.provider.set_clock(600);
  const engine::StatusClaim claim = market.adapter.status(deal);
  EXPECT_EQ(claim.view, ProviderView::kNoAnswer);  // not "has no such deal"
  EXPECT_NE(claim.message.find("clock"), std::string::npos) << claim.message;
  const engine::SubmitOutcome outcome = market.adapter.submit(market.adapter.prepare(deal_terms()).value(), false);
  EXPECT_EQ(outcome.verdict, SubmitVerdict::kRejected);
  EXPECT_NE(outcome.reason.find("clock"), std::string::npos) << outcome.reason;
}

TEST(Mk20Adapter, AMinuteThatPassesOnTheWay) {
  FakeProvider provider;
  io::HttpClient http = io::HttpClient::create({}).value();
  engine::KeySigner signer = engine::KeySigner::make(engine::golden_key()).value();
  // Five minutes behind at first: the header is refused, and made again with what the clock says then.
  int calls = 0;
  Mk20Adapter adapter({.base_url = provider.url(),
                       .unix_time_ms = [&calls] { return system_unix_time_ms() - (calls++ < 2 ? 300'000 : 0); }},
                      http, signer);
  const PreparedDeal deal = adapter.prepare(deal_terms()).value();
  EXPECT_EQ(adapter.submit(deal, false).verdict, SubmitVerdict::kAccepted);
  EXPECT_EQ(provider.request_count("POST /market/mk20/deal"), 2U);
}

TEST(Mk20Adapter, WhatIsNotPrepared) {
  Market market;
  const auto refused = [&market](auto change) {
    engine::DealRequest request = deal_terms();
    change(request);
    return !market.adapter.prepare(request);
  };
  EXPECT_TRUE(refused([](auto& r) {
    r.price = engine::price_of(engine::AttoFil(1'000'000), r.padded_bytes, r.end_epoch - r.start_epoch).value();
  }));
  EXPECT_TRUE(refused([](auto& r) { r.is_verified = true; }));
  EXPECT_TRUE(refused([](auto& r) { r.allocation_id = 7; }));
  EXPECT_TRUE(refused([](auto& r) { r.end_epoch = r.start_epoch + 518'399; }));
  EXPECT_TRUE(refused([](auto& r) { r.client_collateral = engine::AttoFil(1); }));
  EXPECT_TRUE(refused([](auto& r) { r.client = engine::Address::of_actor(200); }));
  EXPECT_FALSE(refused([](auto& r) {
    r.is_verified = true;
    r.allocation_id = 7;
    r.end_epoch = r.start_epoch + 441;
  }));
}

class Mk20Upload : public ::testing::Test {
 protected:
  Mk20Upload() : payload_(testing::deterministic_bytes("mk20 upload", kPayloadBytes)) {
    request_ = upload_terms(payload_);
    engine::CommpAccumulator commp;
    commp.append(payload_);
    request_.piece_root = commp.finish().root;
  }
  PreparedDeal taken(Market& market) {
    const PreparedDeal deal = market.adapter.prepare(request_).value();
    EXPECT_EQ(market.adapter.submit(deal, false).verdict, SubmitVerdict::kAccepted);
    EXPECT_TRUE(market.adapter.status(deal).awaits_data);
    return deal;
  }
  void expect_stored(Market& market) {
    const nlohmann::json deals = market.provider.deals();
    ASSERT_EQ(deals.size(), 1U);
    EXPECT_EQ(deals[0]["stage"], "processing");
    EXPECT_EQ(deals[0]["data_sha256"], to_hex(kernels::sha256(payload_)));
  }

  std::vector<uint8_t> payload_;
  engine::DealRequest request_;
};

TEST_F(Mk20Upload, ArrivesWhole) {
  Market market({"--chunk-min", std::to_string(kChunkBytes)});
  const PreparedDeal deal = taken(market);
  std::vector<uint64_t> progress;
  engine::PieceBytes piece = piece_of(payload_);
  piece.on_progress = [&progress](uint64_t done_bytes) -> Status {
    progress.push_back(done_bytes);
    return {};
  };
  const engine::DataOutcome outcome = market.adapter.send_data(deal, piece).value();
  EXPECT_EQ(outcome.verdict, DataVerdict::kDone) << outcome.reason;
  EXPECT_EQ(outcome.sent_bytes, kPayloadBytes);
  EXPECT_EQ(progress.size(), 11U);
  EXPECT_EQ(progress.back(), kPayloadBytes);
  expect_stored(market);
  // Asked again, it is done and nothing is sent.
  const engine::DataOutcome again = market.adapter.send_data(deal, piece).value();
  EXPECT_EQ(again.verdict, DataVerdict::kDone) << again.reason;
  EXPECT_EQ(again.sent_bytes, 0U);
}

TEST_F(Mk20Upload, GoesOnWhereItStopped) {
  Market market({"--chunk-min", std::to_string(kChunkBytes)}, 1'000);
  const PreparedDeal deal = taken(market);
  const std::string base = "/market/mk20/uploads/";
  // One fault after another, each at a step of its own; after each the same call is made again.
  const std::pair<std::string, std::string> faults[] = {
      {"reset_after", "POST " + base + deal.client_key},
      {"503", "GET " + base + deal.client_key},
      {"reset_after", "PUT " + base + deal.client_key + "/3"},
      {"429", "PUT " + base + deal.client_key + "/5"},
      {"reset", "PUT " + base + deal.client_key + "/7"},
      {"timeout_after", "PUT " + base + deal.client_key + "/11"},
      {"garbage", "GET " + base + deal.client_key},
      {"503", "POST " + base + "finalize/"},
  };
  uint64_t sent_bytes = 0;
  for (const auto& [fault, match] : faults) {
    market.provider.inject(fault, match);
    const engine::DataOutcome outcome = market.adapter.send_data(deal, piece_of(payload_)).value();
    EXPECT_EQ(outcome.verdict, DataVerdict::kIncomplete) << fault << " " << match << ": " << outcome.reason;
    EXPECT_EQ(outcome.is_busy, fault == "503" || fault == "429") << fault << " " << match;
    sent_bytes += outcome.sent_bytes;
  }
  const engine::DataOutcome outcome = market.adapter.send_data(deal, piece_of(payload_)).value();
  EXPECT_EQ(outcome.verdict, DataVerdict::kDone) << outcome.reason;
  EXPECT_LT(sent_bytes, kPayloadBytes);  // no chunk went twice
  expect_stored(market);
}

TEST_F(Mk20Upload, FinishedBehindOurBack) {
  for (const std::string fault : {"503_after", "reset_after", "garbage_after"}) {
    Market market({"--chunk-min", std::to_string(kChunkBytes)});
    const PreparedDeal deal = taken(market);
    market.provider.inject(fault, "POST /market/mk20/uploads/finalize/");
    const engine::DataOutcome outcome = market.adapter.send_data(deal, piece_of(payload_)).value();
    EXPECT_EQ(outcome.verdict, DataVerdict::kDone) << fault << ": " << outcome.reason;
    expect_stored(market);
  }
}

TEST_F(Mk20Upload, ProvidersSayHowLongChunksAre) {
  Market market({"--chunk-min", std::to_string(8 * kChunkBytes)});
  const PreparedDeal deal = taken(market);
  const engine::DataOutcome outcome = market.adapter.send_data(deal, piece_of(payload_)).value();
  EXPECT_EQ(outcome.verdict, DataVerdict::kDone) << outcome.reason;
  EXPECT_EQ(market.provider.request_count("PUT "), 2U);
  expect_stored(market);
}

TEST_F(Mk20Upload, BytesOfAnotherPieceAreRefused) {
  Market market({"--chunk-min", std::to_string(kChunkBytes)});
  const PreparedDeal deal = taken(market);
  std::vector<uint8_t> other = payload_;
  other.back() ^= 1;
  const engine::DataOutcome outcome = market.adapter.send_data(deal, piece_of(other)).value();
  EXPECT_EQ(outcome.verdict, DataVerdict::kRejected);
  EXPECT_NE(outcome.reason.find("not those of the piece"), std::string::npos) << outcome.reason;
}

TEST_F(Mk20Upload, ErrorsOfTheSourceAreErrors) {
  Market market({"--chunk-min", std::to_string(kChunkBytes)});
  const PreparedDeal deal = taken(market);
  engine::PieceBytes piece = piece_of(payload_);
  piece.read = [](MutableByteSpan, uint64_t) -> Status { return fail(ErrorCode::kIo, ErrorSide::kSource, "no disk"); };
  EXPECT_EQ(market.adapter.send_data(deal, piece).error().message, "no disk");
}

TEST_F(Mk20Upload, WhoeverFollowsItMayEndIt) {
  Market market({"--chunk-min", std::to_string(kChunkBytes)});
  const PreparedDeal deal = taken(market);
  engine::PieceBytes piece = piece_of(payload_);
  piece.on_progress = [](uint64_t done_bytes) -> Status {
    if (done_bytes < 2 * kChunkBytes) return {};
    return fail(ErrorCode::kWaiting, ErrorSide::kDestination, "another has the lease");
  };
  EXPECT_EQ(market.adapter.send_data(deal, piece).error().message, "another has the lease");
  EXPECT_EQ(market.provider.request_count("PUT "), 2U);
  EXPECT_EQ(market.provider.request_count("POST /market/mk20/uploads/finalize"), 0U);
}

}  // namespace
}  // namespace piecework::tools
