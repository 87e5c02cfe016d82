#include "engine/deal/deal_state.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <tuple>
#include <vector>

#include "engine/deal/name_table.h"

namespace piecework::engine {
namespace {

constexpr NameTable<DealState, 11> kNames{{
    {DealState::kNone, "none"},
    {DealState::kAccepted, "accepted"},
    {DealState::kDataSent, "data_sent"},
    {DealState::kPublished, "published"},
    {DealState::kActive, "active"},
    {DealState::kExpiring, "expiring"},
    {DealState::kFaulty, "faulty"},
    {DealState::kExpired, "expired"},
    {DealState::kTerminated, "terminated"},
    {DealState::kProposalExpired, "proposal_expired"},
    {DealState::kLost, "lost"},
}};

// A head that is ahead of the observer's clock belongs to another chain, or the clock is wrong.
bool is_from_the_future(const Observation& observation, const DealRules& rules) {
  return rules.clock.time_of(observation.head_epoch) - observation.at_s >= rules.head_age_max_s;
}

bool is_fresh(const Observation& observation, const DealRules& rules) {
  return std::abs(rules.clock.time_of(observation.head_epoch) - observation.at_s) < rules.head_age_max_s;
}

// Answers of the chain that count, oldest tipset first. A tipset has one state: who shows the deal there is right, and
// so comes after who does not find it.
std::vector<const Observation*> in_chain_order(History history, const DealRules& rules) {
  std::vector<const Observation*> answers;
  for (const Observation& observation : history) {
    const bool counts = observation.source == ObservationSource::kChain && observation.is_finalized &&
                        !is_from_the_future(observation, rules);
    if (counts) answers.push_back(&observation);
  }
  std::stable_sort(answers.begin(), answers.end(), [](const Observation* a, const Observation* b) {
    return std::tuple(a->tipset_epoch, is_evidence(*a), a->verdict) <
           std::tuple(b->tipset_epoch, is_evidence(*b), b->verdict);
  });
  return answers;
}

// What the chain's answers come to.
class ChainFold {
 public:
  explicit ChainFold(const DealRules& rules) : rules_(rules) {}

  void take(const Observation& answer) {
    if (is_fresh(answer, rules_)) as_of_epoch_ = answer.tipset_epoch;
    if (is_evidence(answer)) {
      take_evidence(answer);
    } else if (answer.verdict == Verdict::kNotFound && is_fresh(answer, rules_)) {
      if (absent_count_ == 0 || answer.tipset_epoch != absent_epoch_) ++absent_count_;
      absent_epoch_ = answer.tipset_epoch;
      // What was not there before it could not come any more says nothing of later.
      if (!was_in_sector() && is_early(answer.tipset_epoch)) absent_count_ = 0;
    } else if (answer.verdict == Verdict::kUnclear && is_fresh(answer, rules_) && !is_early(answer.tipset_epoch)) {
      is_unclear_ = true;
    }
  }

  // None where the chain has nothing to say and the state is that of the claims.
  std::optional<DealState> state() const {
    switch (phase_) {
      case Phase::kNone:
        if (absent_count_ >= 2 || as_of_epoch_ >= end_epoch()) return DealState::kProposalExpired;
        if (is_unclear_) return DealState::kLost;
        return std::nullopt;
      case Phase::kOnChain:
        if (absent_count_ >= 2 || as_of_epoch_ >= end_epoch()) return DealState::kProposalExpired;
        return DealState::kPublished;
      case Phase::kTerminated:
        return DealState::kTerminated;
      case Phase::kActive:
      case Phase::kFaulty:
        break;
    }
    if (as_of_epoch_ >= end_epoch()) return DealState::kExpired;
    if (absent_count_ >= 2) return DealState::kTerminated;
    if (absent_count_ == 1) return DealState::kLost;
    if (phase_ == Phase::kFaulty) return DealState::kFaulty;
    return end_epoch() - as_of_epoch_ < rules_.renew_before_epochs ? DealState::kExpiring : DealState::kActive;
  }

  void describe(DealView& view) const {
    view.as_of_epoch = as_of_epoch_;
    view.evidence = evidence_;
    if (phase_ == Phase::kFaulty) view.faulty_since = faulty_since_;
  }

 private:
  enum class Phase : uint8_t { kNone, kOnChain, kActive, kFaulty, kTerminated };

  bool was_in_sector() const { return phase_ == Phase::kActive || phase_ == Phase::kFaulty; }
  bool is_early(Epoch epoch) const { return epoch <= rules_.start_epoch + rules_.start_margin_epochs; }
  // A sector may end before what was agreed.
  Epoch end_epoch() const { return std::min(rules_.end_epoch, expiration_epoch_); }

  void take_evidence(const Observation& answer) {
    absent_count_ = 0;
    is_unclear_ = false;
    evidence_ = &answer;
    as_of_epoch_ = std::max(as_of_epoch_, answer.tipset_epoch);
    expiration_epoch_ = answer.facts.expiration_epoch.value_or(expiration_epoch_);
    switch (answer.verdict) {
      case Verdict::kActive:
        phase_ = Phase::kActive;
        break;
      case Verdict::kFaulty:
        if (phase_ != Phase::kFaulty) faulty_since_ = answer.tipset_epoch;
        phase_ = Phase::kFaulty;
        break;
      case Verdict::kTerminated:
        phase_ = Phase::kTerminated;
        break;
      default:  // on chain: the first that is seen of it; later it adds nothing
        if (phase_ == Phase::kNone) phase_ = Phase::kOnChain;
        break;
    }
  }

  const DealRules& rules_;
  Phase phase_ = Phase::kNone;
  Epoch as_of_epoch_ = -1;
  unsigned absent_count_ = 0;  // fresh answers "not found" since the last evidence, of different tipsets
  Epoch absent_epoch_ = -1;
  bool is_unclear_ = false;
  Epoch faulty_since_ = -1;
  Epoch expiration_epoch_ = std::numeric_limits<Epoch>::max();  // of the sector; until it is known, never
  const Observation* evidence_ = nullptr;
};

template <class Value>
void take_newer(std::optional<Value>& target, const std::optional<Value>& value) {
  if (value) target = value;
}

void merge(DealFacts& facts, const DealFacts& newer) {
  take_newer(facts.deal_id, newer.deal_id);
  take_newer(facts.allocation_id, newer.allocation_id);
  take_newer(facts.claim_id, newer.claim_id);
  take_newer(facts.sector, newer.sector);
  take_newer(facts.activation_epoch, newer.activation_epoch);
  take_newer(facts.expiration_epoch, newer.expiration_epoch);
  if (!newer.publish_cid.empty()) facts.publish_cid = newer.publish_cid;
}

DealState state_of_claims(History history, AttemptState attempt) {
  if (attempt != AttemptState::kAccepted) return DealState::kNone;
  const bool has_data = std::any_of(history.begin(), history.end(), [](const Observation& observation) {
    return observation.verdict == Verdict::kDataSent || observation.verdict == Verdict::kClaimsData;
  });
  return has_data ? DealState::kDataSent : DealState::kAccepted;
}

}  // namespace

std::string_view name_of(DealState state) { return name_in(kNames, state); }

std::optional<DealState> parse_deal_state(std::string_view name) { return value_in(kNames, name); }

DealView deal_view(History history, const DealRules& rules) {
  DealView view;
  view.attempt = attempt_state(history);
  for (const Observation& observation : history) {
    if (observation.source != ObservationSource::kProvider) continue;
    view.claim = &observation;
    merge(view.claimed_facts, observation.facts);
  }
  ChainFold chain(rules);
  for (const Observation* answer : in_chain_order(history, rules)) {
    chain.take(*answer);
    if (is_evidence(*answer)) merge(view.facts, answer->facts);
  }
  chain.describe(view);
  // A refused attempt of which the chain knows nothing stays refused, whatever the chain could not say.
  const std::optional<DealState> on_chain = view.attempt == AttemptState::kRejected ? std::nullopt : chain.state();
  view.state = on_chain.value_or(state_of_claims(history, view.attempt));
  return view;
}

}  // namespace piecework::engine
