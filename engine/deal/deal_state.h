// What a deal is, read off its history: claims move it no further than "data_sent", from there on only the chain does.
//
//   accepted -> data_sent -> published -> active -> expiring -> expired
//                                           ^ |       terminated
//                                           | v
//                                         faulty
//   proposal_expired: not on chain, and can never be     lost: not found, and nobody can say why
//
// What counts of the chain: answers at finalized tipsets, taken in the order of their tipsets, whenever they were
// asked for; so a node that lags behind changes nothing. "Not found" counts only from a node whose head is fresh, and
// then means, by what is known of the deal (Filecoin's own message does not say which):
//   - never seen on chain, before start epoch + margin     nothing: it may still be published
//   - never seen, or never in a sector, after that         two such answers, of different tipsets: proposal_expired;
//                                                          so is what nobody could tell until the end epoch
//   - in a sector before, at or after the end epoch        expired
//   - in a sector before, earlier                          the first: lost; a second, of another tipset: terminated
// Pure; the only clocks are those in the observations.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/deal/attempt_state.h"
#include "engine/deal/observation.h"

namespace piecework::engine {

enum class DealState : uint8_t {
  kNone,  // no deal that anybody knows of: see the attempt's state
  kAccepted,
  kDataSent,
  kPublished,
  kActive,
  kExpiring,
  kFaulty,
  kExpired,
  kTerminated,
  kProposalExpired,
  kLost,
};

std::string_view name_of(DealState state);
std::optional<DealState> parse_deal_state(std::string_view name);

// What the state depends on beside the history.
struct DealRules {
  Epoch start_epoch = 0;  // of the proposal
  Epoch end_epoch = 0;
  ChainClock clock;
  int64_t head_age_max_s = 600;     // a node whose head is older, or newer, than that does not count
  Epoch start_margin_epochs = 120;  // an hour: the chain itself refuses a deal at its start epoch
  Epoch renew_before_epochs = 0;    // active for less than that: expiring
};

struct DealView {
  AttemptState attempt = AttemptState::kPlanned;
  DealState state = DealState::kNone;
  DealFacts facts;                        // the newest of the chain
  DealFacts claimed_facts;                // the newest that the provider said
  Epoch as_of_epoch = -1;                 // newest finalized tipset that counted; -1: none
  std::optional<Epoch> faulty_since;      // first tipset since which it is faulty
  const Observation* claim = nullptr;     // the provider's last word; into the history
  const Observation* evidence = nullptr;  // the chain's last finalized word about what is ours
};

// The history of an attempt and its deal, or of a deal that was adopted (then without an attempt's observations).
DealView deal_view(History history, const DealRules& rules);

// Nothing that was sent can become, or still is, a deal: another generation may take its place.
constexpr bool is_finally_dead(AttemptState attempt, DealState deal) {
  return deal == DealState::kExpired || deal == DealState::kTerminated || deal == DealState::kProposalExpired ||
         (deal == DealState::kNone && attempt == AttemptState::kRejected);
}
// A live copy, by the chain's word.
constexpr bool is_held(DealState deal) {
  return deal == DealState::kActive || deal == DealState::kExpiring || deal == DealState::kFaulty;
}

}  // namespace piecework::engine
