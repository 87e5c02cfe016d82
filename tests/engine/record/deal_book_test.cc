// The book of deals: what is stored cannot be changed, states follow from observations, caps and the lease hold.
#include "engine/record/deal_book.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "engine/record/catalogue_writer.h"
#include "tests/support/temp_dir.h"

namespace piecework::engine {
namespace {

using testing::TempDir;

constexpr int64_t kNow = 1'800'000'000;
constexpr Epoch kStart = 10'000;
constexpr Epoch kEnd = 600'000;
const Network kDevnet{"devnet", 't', "", {.genesis_s = kNow - 300'000}};

AttoFil atto(uint64_t amount) { return AttoFil(amount); }

class DealBookTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const Result<std::unique_ptr<CatalogueWriter>> writer = CatalogueWriter::open(path());
    ASSERT_TRUE(writer) << writer.error().message;
    const Cid root = parse_cid("bafybeiajozifrkdwd7uhqw2vtpau7c3frpbh4vhgtgx2q56q2ysrcsnxx4").value();
    for (int i = 0; i < 3; ++i) {
      const std::string name = "piece-" + std::to_string(i);
      ASSERT_TRUE((*writer)->add_piece({0, name, name + "-v2", root, 100, 128, 1}));
    }
    ASSERT_TRUE((*writer)->commit());
    book_ = std::make_unique<DealBook>(open());
    ASSERT_TRUE(book_->note_network(kDevnet));
    for (const char* id : {"t01000", "t01001"}) {
      PolicyProvider provider;
      provider.id = id;
      provider.owner = "acme";
      provider.region = "eu";
      ASSERT_TRUE(book_->note_provider(provider, kNow));
    }
    ASSERT_TRUE(book_->note_wallet("t1client", "", "key_file", "wallet.key"));
    policy_ = book_->note_policy("sites", "digest", "text", kNow).value();
  }

  std::string path() const { return (temp_ / "a.catalogue").string(); }
  DealBook open() const {
    Result<DealBook> book = DealBook::open(path(), 10'000);
    EXPECT_TRUE(book) << book.error().message;
    return std::move(*book);
  }
  IntentRow intent(uint64_t piece, std::string provider, uint64_t slot, uint64_t generation = 0) const {
    IntentRow row;
    row.network = "devnet";
    row.piece_id = piece;
    row.provider = std::move(provider);
    row.slot = slot;
    row.generation = generation;
    row.policy_id = policy_;
    row.created_at_s = kNow;
    return row;
  }
  NewAttempt attempt(uint64_t intent_id, const std::string& key, uint64_t cost = 10) const {
    NewAttempt made;
    made.intent_id = intent_id;
    made.protocol = "mk12";
    made.client = "t1client";
    made.prepared.client_key = key;
    made.prepared.bytes = {1, 2, 3};
    made.terms.start_epoch = kStart;
    made.terms.end_epoch = kEnd;
    made.terms.transfer = "offline";
    made.cost_max = atto(cost);
    made.campaign = "sites";
    made.caps = {atto(1), atto(100), atto(200), atto(300)};
    made.now_s = kNow;
    return made;
  }
  uint64_t sent(uint64_t piece, const std::string& provider, uint64_t slot, const std::string& key) {
    const uint64_t intent_id = book_->add_intent(intent(piece, provider, slot)).value();
    const uint64_t id = book_->add_attempt(attempt(intent_id, key)).value();
    see(id, Verdict::kSending);
    return id;
  }
  DealView see(uint64_t attempt_id, Verdict verdict) {
    return book_->observe(Subject::attempt(attempt_id), {.at_s = kNow, .verdict = verdict}).value();
  }
  Observation chain(Verdict verdict, Epoch tipset) const {
    Observation seen;
    seen.source = ObservationSource::kChain;
    seen.verdict = verdict;
    seen.is_ours = verdict == Verdict::kOnChain || verdict == Verdict::kActive;
    seen.is_finalized = true;
    seen.tipset_epoch = tipset;
    seen.head_epoch = tipset + 900;
    seen.at_s = kDevnet.clock.time_of(seen.head_epoch);
    if (seen.is_ours) seen.facts.deal_id = 77;
    return seen;
  }
  std::string refused(const char* sql) {
    const Status status = book_->database().execute(sql);
    return status ? "accepted" : status.error().message;
  }

  TempDir temp_;
  std::unique_ptr<DealBook> book_;
  uint64_t policy_ = 0;
};

TEST_F(DealBookTest, WhatWasSeenAndSentIsNeverChanged) {
  const uint64_t id = sent(1, "t01000", 0, "key-a");
  for (const char* sql : {"UPDATE observations SET verdict='accepted'", "DELETE FROM observations"}) {
    EXPECT_NE(refused(sql).find("observations are only added to"), std::string::npos) << sql;
  }
  for (const char* sql : {"UPDATE attempts SET request=x'00'", "UPDATE attempts SET client_key='other'",
                          "UPDATE attempts SET start_epoch=1", "UPDATE attempts SET price_per_epoch='0'"}) {
    EXPECT_NE(refused(sql).find("what was prepared never changes"), std::string::npos) << sql;
  }
  EXPECT_NE(refused("DELETE FROM attempts").find("what was prepared is kept"), std::string::npos);
  EXPECT_NE(refused("UPDATE intents SET provider='t01001'").find("intents never change"), std::string::npos);
  EXPECT_NE(refused("DELETE FROM intents").find("an intent with attempts is kept"), std::string::npos);
  EXPECT_EQ(book_->history(Subject::attempt(id))->size(), 2u);
}

TEST_F(DealBookTest, AnIntentHasOneLiveAttempt) {
  const uint64_t intent_id = book_->add_intent(intent(1, "t01000", 0)).value();
  const uint64_t first = book_->add_attempt(attempt(intent_id, "key-a")).value();
  const Result<uint64_t> second = book_->add_attempt(attempt(intent_id, "key-b"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  EXPECT_EQ(refused("INSERT INTO attempts SELECT NULL, intent, protocol, 'key-c', request, client, proposal_cid, "
                    "onchain_cid, signed_cid, label, is_verified, allocation_id, start_epoch, end_epoch, "
                    "price_per_epoch, provider_collateral, client_collateral, transfer, prepared_at, 'unknown' FROM "
                    "attempts")
                .find("accepted"),
            std::string::npos);
  EXPECT_TRUE(book_->open_intents("devnet", "sites")->empty());
  // Withdrawn before it was sent: the intent is open again, and counts as a copy.
  see(first, Verdict::kWithdrawn);
  EXPECT_EQ(book_->open_intents("devnet", "sites")->size(), 1u);
  EXPECT_EQ(book_->copies(1, "devnet")->at(0).attempt, AttemptState::kPlanned);
  EXPECT_FALSE(book_->add_intent(intent(1, "t01001", 0, 1)));
  EXPECT_TRUE(book_->add_attempt(attempt(intent_id, "key-b")));
  EXPECT_FALSE(book_->add_attempt(attempt(intent_id, "key-b")));
}

TEST_F(DealBookTest, WhatWasGivenUpBeforeItWasSentIsDead) {
  const uint64_t intent_id = book_->add_intent(intent(1, "t01000", 0)).value();
  const uint64_t id = book_->add_attempt(attempt(intent_id, "key-a")).value();
  see(id, Verdict::kWithdrawn);
  see(id, Verdict::kRejected);
  EXPECT_TRUE(book_->open_intents("devnet", "sites")->empty());
  EXPECT_EQ(book_->copies(1, "devnet")->at(0).attempt, AttemptState::kRejected);
  EXPECT_TRUE(book_->add_intent(intent(1, "t01001", 0, 1)));
}

TEST_F(DealBookTest, IntentsAreProposedByPoliciesOfTheirName) {
  const uint64_t other = book_->note_policy("films", "digest-2", "text", kNow).value();
  ASSERT_TRUE(book_->add_intent(intent(1, "t01000", 0)));
  IntentRow of_other = intent(2, "t01000", 0);
  of_other.policy_id = other;
  ASSERT_TRUE(book_->add_intent(of_other));
  EXPECT_EQ(book_->open_intents("devnet", "sites")->at(0).piece_id, 1u);
  EXPECT_EQ(book_->open_intents("devnet", "films")->at(0).piece_id, 2u);
  EXPECT_TRUE(book_->open_intents("devnet", "music")->empty());
  EXPECT_EQ(book_->campaign_of(other).value(), "films");
}

TEST_F(DealBookTest, EscrowIsPromisedUntilTheChainShowsTheDeal) {
  EXPECT_EQ(book_->promised("devnet", "t1client").value(), atto(0));
  const uint64_t first = sent(1, "t01000", 0, "key-a");
  const uint64_t second = sent(2, "t01000", 0, "key-b");
  EXPECT_EQ(book_->promised("devnet", "t1client").value(), atto(20));
  EXPECT_EQ(book_->promised("devnet", "t1other").value(), atto(0));
  EXPECT_EQ(book_->promised("mainnet", "t1client").value(), atto(0));
  see(first, Verdict::kAccepted);
  EXPECT_EQ(book_->promised("devnet", "t1client").value(), atto(20));
  ASSERT_TRUE(book_->observe(Subject::attempt(first), chain(Verdict::kOnChain, 9'000)));
  see(second, Verdict::kRejected);
  EXPECT_EQ(book_->promised("devnet", "t1client").value(), atto(0));
}

TEST_F(DealBookTest, StatesFollowFromObservations) {
  const uint64_t id = sent(1, "t01000", 0, "key-a");
  EXPECT_EQ(book_->open_attempts("devnet")->at(0).attempt.state, AttemptState::kSending);
  EXPECT_TRUE(book_->deals("devnet")->empty());
  see(id, Verdict::kUnknown);
  EXPECT_EQ(book_->open_attempts("devnet")->at(0).attempt.state, AttemptState::kUnknown);
  EXPECT_EQ(see(id, Verdict::kAccepted).state, DealState::kAccepted);
  ASSERT_TRUE(book_->observe(Subject::attempt(id), chain(Verdict::kActive, 12'000)));
  const std::vector<DealRow> deals = book_->deals("devnet").value();
  ASSERT_EQ(deals.size(), 1u);
  EXPECT_EQ(deals[0].state, DealState::kActive);
  EXPECT_EQ(deals[0].facts.deal_id, 77u);
  EXPECT_EQ(deals[0].as_of_epoch, 12'000);
  EXPECT_EQ(deals[0].kind, DealKind::kF05);
  EXPECT_EQ(book_->load("devnet")->at("t01000"), 1u);
  EXPECT_TRUE(book_->is_taken("devnet", 77, Subject::attempt(id + 1)).value());
  EXPECT_FALSE(book_->is_taken("devnet", 77, Subject::attempt(id)).value());
}

TEST_F(DealBookTest, NoSecondDealWhereTheFirstMayLive) {
  const uint64_t id = sent(1, "t01000", 0, "key-a");
  EXPECT_FALSE(book_->add_intent(intent(1, "t01000", 1))) << "one live copy for each provider";
  EXPECT_FALSE(book_->add_intent(intent(1, "t01001", 0, 1))) << "the slot is not free";
  EXPECT_TRUE(book_->add_intent(intent(1, "t01001", 1)));
  EXPECT_TRUE(book_->add_intent(intent(2, "t01000", 0))) << "another piece";
  see(id, Verdict::kUnknown);
  const Epoch late = kStart + DealRules{}.start_margin_epochs + 1;
  ASSERT_TRUE(book_->observe(Subject::attempt(id), chain(Verdict::kNotFound, late)));
  EXPECT_FALSE(book_->add_intent(intent(1, "t01000", 0, 1)));
  ASSERT_TRUE(book_->observe(Subject::attempt(id), chain(Verdict::kNotFound, late + 10)));
  EXPECT_FALSE(book_->add_intent(intent(1, "t01000", 0, 0))) << "that generation is there";
  EXPECT_TRUE(book_->add_intent(intent(1, "t01000", 0, 1)));
}

TEST_F(DealBookTest, WhatARefusalReservedIsFree) {
  const uint64_t first = sent(1, "t01000", 0, "key-a");
  EXPECT_EQ(book_->spent("devnet", "sites", kNow)->campaign, atto(10));
  EXPECT_EQ(book_->spent("devnet", "other", kNow)->campaign, atto(0));
  EXPECT_EQ(book_->spent("devnet", "sites", kNow + 86'400)->day, atto(0));
  see(first, Verdict::kUnknown);
  EXPECT_EQ(book_->spent("devnet", "sites", kNow)->campaign, atto(10));
  const uint64_t second = sent(2, "t01000", 0, "key-b");
  see(second, Verdict::kRejected);
  EXPECT_EQ(book_->spent("devnet", "sites", kNow)->campaign, atto(10));
  // Refused, and on chain all the same: it costs what it costs.
  ASSERT_TRUE(book_->observe(Subject::attempt(second), chain(Verdict::kOnChain, 9'000)));
  EXPECT_EQ(book_->spent("devnet", "sites", kNow)->campaign, atto(20));
}

TEST_F(DealBookTest, EachCapHasItsOwnError) {
  const uint64_t a = book_->add_intent(intent(1, "t01000", 0)).value();
  EXPECT_EQ(book_->add_attempt(attempt(a, "k1", 101)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(book_->add_attempt(attempt(a, "k1", 100)));
  const uint64_t b = book_->add_intent(intent(1, "t01001", 1)).value();
  NewAttempt day = attempt(b, "k2", 100);
  day.caps.day = atto(199);
  EXPECT_EQ(book_->add_attempt(day).error().code, ErrorCode::kWaiting);
  NewAttempt campaign = attempt(b, "k2", 100);
  campaign.caps.campaign = atto(199);
  EXPECT_EQ(book_->add_attempt(campaign).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(book_->spent("devnet", "sites", kNow)->day, atto(100));
  EXPECT_EQ(book_->open_intents("devnet", "sites")->size(), 1u) << "nothing was stored";
  EXPECT_TRUE(book_->add_attempt(attempt(b, "k2", 100)));
}

// Eight books at once, one cap: what they reserve together never passes it.
TEST_F(DealBookTest, CapsHoldUnderConcurrency) {
  std::vector<uint64_t> intents;
  for (uint64_t piece = 1; piece <= 3; ++piece) {
    for (uint64_t slot = 0; slot < 2; ++slot) {
      intents.push_back(book_->add_intent(intent(piece, slot == 0 ? "t01000" : "t01001", slot)).value());
    }
  }
  std::atomic<int> stored{0};
  std::vector<std::thread> threads;
  for (size_t i = 0; i < intents.size(); ++i) {
    threads.emplace_back([&, i] {
      DealBook own = open();
      NewAttempt made = attempt(intents[i], "key-" + std::to_string(i), 30);
      made.caps.day = atto(100);
      if (own.add_attempt(made)) ++stored;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(stored, 3);
  EXPECT_EQ(book_->spent("devnet", "sites", kNow)->day, atto(90));
}

TEST_F(DealBookTest, OneProcessAtATime) {
  const auto alive = [](std::string_view) { return false; };
  ASSERT_TRUE(book_->take_lease("one", kNow, alive));
  ASSERT_TRUE(book_->take_lease("one", kNow, alive));
  DealBook other = open();
  const Status held = other.take_lease("two", kNow + kDealLeaseSeconds - 1, alive);
  ASSERT_FALSE(held);
  EXPECT_EQ(held.error().code, ErrorCode::kWaiting);
  ASSERT_TRUE(book_->keep_lease(kNow + 100));
  EXPECT_FALSE(other.take_lease("two", kNow + kDealLeaseSeconds, alive));
  ASSERT_TRUE(other.take_lease("two", kNow, [](std::string_view holder) { return holder == "one"; }));
  // The first one stood still; when it goes on it can write nothing.
  const Result<uint64_t> late = book_->add_intent(intent(1, "t01000", 0));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kWaiting);
  EXPECT_TRUE(other.add_intent(intent(1, "t01000", 0)));
  ASSERT_TRUE(other.release_lease());
  EXPECT_TRUE(book_->take_lease("three", kNow, alive));
}

TEST_F(DealBookTest, AdoptedDealsAreCopies) {
  DealRow deal;
  deal.network = "devnet";
  deal.piece_id = 1;
  deal.provider = "t01000";
  deal.client = "t0200";
  deal.start_epoch = kStart;
  deal.end_epoch = kEnd;
  deal.facts.deal_id = 77;
  const uint64_t id = book_->adopt(deal).value();
  EXPECT_EQ(book_->adopt(deal).error().code, ErrorCode::kConflict);
  EXPECT_EQ(book_->observe(Subject::adopted(id), chain(Verdict::kActive, 12'000))->state, DealState::kActive);
  EXPECT_FALSE(book_->copies(1, "devnet")->at(0).slot);
  EXPECT_EQ(book_->copies(1, "devnet")->at(0).state, DealState::kActive);
  EXPECT_FALSE(book_->add_intent(intent(1, "t01000", 0)));
}

TEST_F(DealBookTest, AnotherChainOfTheSameNameIsRefused) {
  Network other = kDevnet;
  other.clock.genesis_s += 1;
  EXPECT_EQ(book_->note_network(other).error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(book_->note_network(kDevnet));
  EXPECT_EQ(book_->clock("devnet")->genesis_s, kDevnet.clock.genesis_s);
}

TEST(DealBook, ThereIsNoBookWithoutACatalogue) {
  const TempDir temp;
  EXPECT_EQ(DealBook::open((temp / "none").string(), 0).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(temp / "none"));
}

}  // namespace
}  // namespace piecework::engine
