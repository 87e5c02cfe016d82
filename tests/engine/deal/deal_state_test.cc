// The rules of deal states, each as a row; then as properties over many random histories.
#include "engine/deal/deal_state.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace piecework::engine {
namespace {

constexpr Epoch kStart = 10'000;
constexpr Epoch kEnd = 600'000;
constexpr DealRules kRules{
    .start_epoch = kStart, .end_epoch = kEnd, .clock = {.genesis_s = 1'000'000}, .renew_before_epochs = 20'000};
constexpr Epoch kLate = kStart + kRules.start_margin_epochs + 1;  // the first epoch at which "not found" counts

Observation driver(Verdict verdict) { return {.source = ObservationSource::kDriver, .verdict = verdict}; }
Observation claim(Verdict verdict) { return {.source = ObservationSource::kProvider, .verdict = verdict}; }

// What a good node says: its head is that of the clock, and the finalized tipset is `tipset`.
Observation chain(Verdict verdict, Epoch tipset) {
  const Epoch head = tipset + 900;
  return {.at_s = kRules.clock.time_of(head) + 20,
          .source = ObservationSource::kChain,
          .verdict = verdict,
          .is_ours = verdict == Verdict::kOnChain || verdict == Verdict::kActive || verdict == Verdict::kFaulty ||
                     verdict == Verdict::kTerminated,
          .is_finalized = true,
          .head_epoch = head,
          .tipset_epoch = tipset};
}
Observation lagging(Verdict verdict, Epoch tipset) {
  Observation answer = chain(verdict, tipset);
  answer.at_s += 4 * 3600;
  return answer;
}
Observation at_head(Verdict verdict, Epoch tipset) {
  Observation answer = chain(verdict, tipset);
  answer.is_finalized = false;
  return answer;
}
Observation foreign_fields(Verdict verdict, Epoch tipset) {
  Observation answer = chain(verdict, tipset);
  answer.is_ours = false;
  return answer;
}

using V = Verdict;
using A = AttemptState;
using D = DealState;

struct Row {
  const char* name;
  std::vector<Observation> history;
  AttemptState attempt;
  DealState deal;
};

std::vector<Observation> operator+(std::vector<Observation> a, const std::vector<Observation>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const std::vector<Observation> kSent = {driver(V::kPrepared), driver(V::kSending)};
const std::vector<Observation> kTaken = kSent + std::vector{driver(V::kAccepted)};
const std::vector<Observation> kHeld = kTaken + std::vector{chain(V::kOnChain, 9'000), chain(V::kActive, 12'000)};

void check(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    const DealView view = deal_view(row.history, kRules);
    EXPECT_EQ(name_of(view.attempt), name_of(row.attempt)) << row.name;
    EXPECT_EQ(name_of(view.state), name_of(row.deal)) << row.name;
  }
}

TEST(AttemptState, EachStep) {
  check({
      {"nothing", {}, A::kPlanned, D::kNone},
      {"prepared", {driver(V::kPrepared)}, A::kPrepared, D::kNone},
      {"withdrawn before it was sent", {driver(V::kPrepared), driver(V::kWithdrawn)}, A::kRejected, D::kNone},
      {"a driver that died while sending", kSent, A::kSending, D::kNone},
      {"accepted", kTaken, A::kAccepted, D::kAccepted},
      {"rejected", kSent + std::vector{driver(V::kRejected)}, A::kRejected, D::kNone},
      {"no connection", kSent + std::vector{driver(V::kNotSent)}, A::kPrepared, D::kNone},
      {"no connection, later a refusal",
       kSent + std::vector{driver(V::kNotSent), driver(V::kSending), driver(V::kRejected)}, A::kRejected, D::kNone},
      {"no connection after an open sending", kSent + std::vector{driver(V::kSending), driver(V::kNotSent)},
       A::kUnknown, D::kNone},
      {"no answer", kSent + std::vector{driver(V::kUnknown)}, A::kUnknown, D::kNone},
      {"withdrawing what was sent does nothing", kSent + std::vector{driver(V::kWithdrawn)}, A::kSending, D::kNone},
  });
}

TEST(AttemptState, AnUnknownOutcomeIsClosedOnlyByStatusOrChain) {
  const std::vector<Observation> unknown = kSent + std::vector{driver(V::kUnknown)};
  const std::vector<Observation> resent = unknown + std::vector{driver(V::kSending)};
  check({
      {"sent again, and refused: perhaps only as a duplicate", resent + std::vector{driver(V::kRejected)}, A::kUnknown,
       D::kNone},
      {"died while sending, sent again, and refused", kSent + std::vector{driver(V::kSending), driver(V::kRejected)},
       A::kUnknown, D::kNone},
      {"sent again, and accepted", resent + std::vector{driver(V::kAccepted)}, A::kAccepted, D::kAccepted},
      {"the provider knows it", unknown + std::vector{claim(V::kClaimsKnown)}, A::kAccepted, D::kAccepted},
      {"it failed, the provider says: it had it, and may have published it",
       unknown + std::vector{claim(V::kClaimsFailed)}, A::kAccepted, D::kAccepted},
      {"it failed, and is on chain", unknown + std::vector{claim(V::kClaimsFailed), chain(V::kOnChain, 9'000)},
       A::kAccepted, D::kPublished},
      {"it failed, and can never come",
       unknown + std::vector{claim(V::kClaimsFailed), chain(V::kNotFound, kLate), chain(V::kNotFound, kLate + 1)},
       A::kAccepted, D::kProposalExpired},
      {"the provider tells by other ways that it refuses", unknown + std::vector{claim(V::kRejected)}, A::kRejected,
       D::kNone},
      {"and not after it took it", kTaken + std::vector{claim(V::kRejected)}, A::kAccepted, D::kAccepted},
      {"the provider does not know it, yet", unknown + std::vector{claim(V::kClaimsAbsent)}, A::kUnknown, D::kNone},
      {"sealed, as providers say of anything", unknown + std::vector{claim(V::kClaimsActive)}, A::kUnknown, D::kNone},
      {"the chain has it", unknown + std::vector{chain(V::kOnChain, 9'000)}, A::kAccepted, D::kPublished},
      {"the chain has another's", unknown + std::vector{foreign_fields(V::kActive, 9'000)}, A::kUnknown, D::kNone},
      {"it can never come", unknown + std::vector{chain(V::kNotFound, kLate), chain(V::kNotFound, kLate + 1)},
       A::kUnknown, D::kProposalExpired},
      {"refused, and on chain all the same", kSent + std::vector{driver(V::kRejected), chain(V::kActive, 12'000)},
       A::kAccepted, D::kActive},
  });
}

TEST(DealState, ClaimsAreNoEvidence) {
  check({
      {"the provider claims all there is", kTaken + std::vector{claim(V::kClaimsPublished), claim(V::kClaimsActive)},
       A::kAccepted, D::kAccepted},
      {"it has the bytes", kTaken + std::vector{claim(V::kClaimsData)}, A::kAccepted, D::kDataSent},
      {"they were sent to it", kTaken + std::vector{driver(V::kDataSent)}, A::kAccepted, D::kDataSent},
      {"failed, it says: still it may publish", kTaken + std::vector{claim(V::kClaimsFailed)}, A::kAccepted,
       D::kAccepted},
      {"a head may be undone", kTaken + std::vector{at_head(V::kActive, 12'000)}, A::kAccepted, D::kAccepted},
      {"some field is not ours", kTaken + std::vector{foreign_fields(V::kActive, 12'000)}, A::kAccepted, D::kAccepted},
      {"the id is another's", kTaken + std::vector{chain(V::kForeign, 12'000)}, A::kAccepted, D::kAccepted},
      {"active by the chain", kHeld, A::kAccepted, D::kActive},
      {"adopted: no attempt of ours", {chain(V::kActive, 12'000)}, A::kAccepted, D::kActive},
      {"a node whose clock runs ahead", kTaken + std::vector{[] {
                                          Observation answer = chain(V::kActive, 12'000);
                                          answer.at_s -= 3600;
                                          return answer;
                                        }()},
       A::kAccepted, D::kAccepted},
  });
}

TEST(DealState, NotFoundHasFourMeanings) {
  check({
      {"not yet published", kTaken + std::vector{chain(V::kNotFound, 5'000), chain(V::kNotFound, 6'000)}, A::kAccepted,
       D::kAccepted},
      {"at the margin it does not count",
       kTaken + std::vector{chain(V::kNotFound, kLate - 1), chain(V::kNotFound, kLate)}, A::kAccepted, D::kAccepted},
      {"never published, one answer", kTaken + std::vector{chain(V::kNotFound, kLate)}, A::kAccepted, D::kAccepted},
      {"never published, the same answer twice",
       kTaken + std::vector{chain(V::kNotFound, kLate), chain(V::kNotFound, kLate)}, A::kAccepted, D::kAccepted},
      {"never published, two answers", kTaken + std::vector{chain(V::kNotFound, kLate), chain(V::kNotFound, kLate + 1)},
       A::kAccepted, D::kProposalExpired},
      {"published, and never in a sector",
       kTaken + std::vector{chain(V::kOnChain, 9'000), chain(V::kNotFound, kLate), chain(V::kNotFound, kLate + 1)},
       A::kAccepted, D::kProposalExpired},
      {"expired and cleaned", kHeld + std::vector{chain(V::kNotFound, kEnd)}, A::kAccepted, D::kExpired},
      {"slashed and cleaned, first answer", kHeld + std::vector{chain(V::kNotFound, 20'000)}, A::kAccepted, D::kLost},
      {"slashed and cleaned, second answer",
       kHeld + std::vector{chain(V::kNotFound, 20'000), chain(V::kNotFound, 20'100)}, A::kAccepted, D::kTerminated},
      {"a node that lags", kHeld + std::vector{lagging(V::kNotFound, 20'000), lagging(V::kNotFound, 20'100)},
       A::kAccepted, D::kActive},
      {"a node behind what is known", kHeld + std::vector{chain(V::kNotFound, 8'000), chain(V::kNotFound, 8'001)},
       A::kAccepted, D::kActive},
      {"a wrong node between two good ones",
       kHeld + std::vector{chain(V::kNotFound, 20'000), chain(V::kActive, 20'100)}, A::kAccepted, D::kActive},
      {"a wrong node at the tipset of a good one",
       kHeld + std::vector{chain(V::kNotFound, 20'000), chain(V::kActive, 20'000), chain(V::kNotFound, 20'000)},
       A::kAccepted, D::kActive},
      {"nobody can say why", kTaken + std::vector{chain(V::kUnclear, kLate)}, A::kAccepted, D::kLost},
      {"nobody could say, and it would have ended", kTaken + std::vector{chain(V::kUnclear, kEnd)}, A::kAccepted,
       D::kProposalExpired},
      {"and then it is there", kTaken + std::vector{chain(V::kUnclear, kLate), chain(V::kActive, kLate + 50)},
       A::kAccepted, D::kActive},
      {"expired as a proposal, and on chain after all",
       kTaken + std::vector{chain(V::kNotFound, kLate), chain(V::kNotFound, kLate + 1), chain(V::kActive, kLate + 2)},
       A::kAccepted, D::kActive},
      {"a head's not found", kHeld + std::vector{at_head(V::kNotFound, 20'000), at_head(V::kNotFound, 20'100)},
       A::kAccepted, D::kActive},
  });
}

TEST(DealState, TheLifeOfASector) {
  check({
      {"expiring", kHeld + std::vector{chain(V::kActive, kEnd - 19'999)}, A::kAccepted, D::kExpiring},
      {"not yet expiring", kHeld + std::vector{chain(V::kActive, kEnd - 20'000)}, A::kAccepted, D::kActive},
      {"expired", kHeld + std::vector{chain(V::kActive, kEnd)}, A::kAccepted, D::kExpired},
      {"faulty", kHeld + std::vector{chain(V::kFaulty, 15'000)}, A::kAccepted, D::kFaulty},
      {"recovered", kHeld + std::vector{chain(V::kFaulty, 15'000), chain(V::kActive, 15'100)}, A::kAccepted,
       D::kActive},
      {"slashed", kHeld + std::vector{chain(V::kTerminated, 15'000)}, A::kAccepted, D::kTerminated},
      {"published", kTaken + std::vector{chain(V::kOnChain, 9'000)}, A::kAccepted, D::kPublished},
      {"published, and then nothing", kTaken + std::vector{chain(V::kOnChain, kEnd)}, A::kAccepted,
       D::kProposalExpired},
  });
  const DealView faulty = deal_view(kHeld + std::vector{chain(V::kFaulty, 15'000), chain(V::kFaulty, 15'500)}, kRules);
  EXPECT_EQ(faulty.faulty_since, 15'000);
  EXPECT_EQ(faulty.as_of_epoch, 15'500);
  Observation short_sector = chain(V::kActive, 30'000);
  short_sector.facts.expiration_epoch = 29'000;
  EXPECT_EQ(deal_view(kHeld + std::vector{short_sector}, kRules).state, D::kExpired);
}

TEST(DealState, FactsAreTheChainsAndClaimsStandApart) {
  Observation says = claim(V::kClaimsPublished);
  says.facts.deal_id = 7;
  says.facts.publish_cid = "bafy-claimed";
  Observation shows = chain(V::kActive, 12'000);
  shows.facts.deal_id = 8;
  shows.facts.sector = 9;
  const std::vector<Observation> history = kTaken + std::vector{shows, says};
  const DealView view = deal_view(history, kRules);
  EXPECT_EQ(view.facts.deal_id, 8u);
  EXPECT_EQ(view.facts.sector, 9u);
  EXPECT_EQ(view.facts.publish_cid, "");
  EXPECT_EQ(view.claimed_facts.deal_id, 7u);
  EXPECT_EQ(view.claimed_facts.publish_cid, "bafy-claimed");
  EXPECT_EQ(view.claim, &history.back());
  EXPECT_EQ(view.evidence, &history[history.size() - 2]);
}

TEST(DealState, NamesGoBothWays) {
  for (int i = 0; i <= static_cast<int>(D::kLost); ++i) {
    const auto state = static_cast<DealState>(i);
    EXPECT_EQ(parse_deal_state(name_of(state)), state);
  }
  for (int i = 0; i <= static_cast<int>(A::kUnknown); ++i) {
    const auto state = static_cast<AttemptState>(i);
    EXPECT_EQ(parse_attempt_state(name_of(state)), state);
  }
  for (int i = 0; i <= static_cast<int>(V::kUnclear); ++i) {
    const auto verdict = static_cast<Verdict>(i);
    EXPECT_EQ(parse_verdict(name_of(verdict)), verdict);
  }
  EXPECT_FALSE(parse_deal_state("sealed"));
  EXPECT_FALSE(parse_attempt_state(""));
  EXPECT_FALSE(parse_verdict("Active"));
}

Observation any_observation(std::mt19937& random) {
  const auto pick = [&random](int count) { return static_cast<int>(random() % static_cast<unsigned>(count)); };
  Observation observation = chain(static_cast<Verdict>(pick(21)), 4'000 + 200 * pick(3'000));
  observation.source = static_cast<ObservationSource>(pick(3));
  observation.is_ours = pick(3) != 0;
  observation.is_finalized = pick(3) != 0;
  if (pick(4) == 0) observation.at_s += 3600 * (pick(9) - 4);
  return observation;
}

// Claims of any kind and number never make a deal active.
TEST(DealStateProperty, NoActiveDealWithoutEvidenceOfWhichAllFieldsAreOurs) {
  std::mt19937 random(20261127);
  unsigned held_count = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<Observation> history(random() % 12);
    for (Observation& observation : history) observation = any_observation(random);
    const DealView view = deal_view(history, kRules);
    if (!is_held(view.state)) continue;
    ++held_count;
    const bool has_evidence = std::any_of(history.begin(), history.end(), [](const Observation& seen) {
      return seen.source == ObservationSource::kChain && seen.is_ours && seen.is_finalized &&
             (seen.verdict == V::kActive || seen.verdict == V::kFaulty);
    });
    ASSERT_TRUE(has_evidence) << round;
    ASSERT_NE(view.evidence, nullptr);
  }
  EXPECT_GT(held_count, 1'000u);
}

// Answers of different tipsets give one state in whatever order they come in.
TEST(DealStateProperty, TheOrderOfTheChainsAnswersDoesNotMatter) {
  std::mt19937 random(7);
  for (int round = 0; round < 5'000; ++round) {
    std::vector<Observation> history = kTaken;
    for (int i = 0; i < 8; ++i) {
      Observation answer = any_observation(random);
      answer.source = ObservationSource::kChain;
      answer.tipset_epoch += i;  // all different
      history.push_back(answer);
    }
    const DealState state = deal_view(history, kRules).state;
    std::shuffle(history.begin() + static_cast<std::ptrdiff_t>(kTaken.size()), history.end(), random);
    ASSERT_EQ(name_of(deal_view(history, kRules).state), name_of(state)) << round;
  }
}

// A world: one proposal, published at some epoch before its start or never; then sealed or not; then lost or not. Nodes
// answer for their finalized tipset, some lag, and one in some answers belongs to a chain that knows nothing.
struct World {
  std::optional<Epoch> published, sealed, slashed;

  Verdict at(Epoch tipset) const {
    if (!published || tipset < *published) return V::kNotFound;
    if (!sealed && tipset > kStart) return V::kNotFound;
    if (sealed && tipset >= *sealed) {
      return (slashed && tipset >= *slashed) || tipset >= kEnd ? V::kNotFound : V::kActive;
    }
    return V::kOnChain;
  }
  // Whether the proposal may still be, or become, a deal at this epoch.
  bool may_live(Epoch epoch) const {
    if (epoch < kStart && (!published || epoch < *published)) return true;  // who knows
    for (Epoch later = epoch; later < kEnd; later += 100) {
      if (at(later) != V::kNotFound) return true;
    }
    return false;
  }
};

TEST(DealStateProperty, NoNewGenerationWhileTheOldOneMayLive) {
  std::mt19937 random(4);
  const auto pick = [&random](Epoch below) { return static_cast<Epoch>(random() % static_cast<uint64_t>(below)); };
  unsigned dead_count = 0;
  for (int round = 0; round < 3'000; ++round) {
    World world;
    if (pick(4) != 0) world.published = 2'000 + pick(kStart - 2'000);
    if (world.published && pick(4) != 0) world.sealed = *world.published + pick(kStart - *world.published) + 1;
    if (world.sealed && pick(2) == 0) world.slashed = *world.sealed + pick(kEnd);
    std::vector<Observation> history = kSent + std::vector{driver(pick(2) == 0 ? V::kAccepted : V::kUnknown)};
    bool had_wrong_node = false;
    for (Epoch clock = 1'000; clock < kEnd + 5'000; clock += 500 + pick(20'000)) {
      Observation answer = chain(world.at(clock), clock);
      if (pick(5) == 0) {
        const Epoch behind = clock - 500 - pick(5'000);
        answer = chain(world.at(behind), behind);
        answer.at_s = kRules.clock.time_of(clock + 900);
      } else if (!had_wrong_node && pick(8) == 0) {
        answer = chain(V::kNotFound, clock);
        had_wrong_node = true;
      }
      history.push_back(answer);
      const DealView view = deal_view(history, kRules);
      if (!is_finally_dead(view.attempt, view.state)) continue;
      ++dead_count;
      ASSERT_FALSE(world.may_live(clock + 900)) << round << " at " << clock << ": " << name_of(view.state);
      break;
    }
  }
  EXPECT_GT(dead_count, 2'000u);
}

}  // namespace
}  // namespace piecework::engine
