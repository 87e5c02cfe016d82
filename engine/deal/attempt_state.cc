#include "engine/deal/attempt_state.h"

#include "engine/deal/name_table.h"

namespace piecework::engine {
namespace {

constexpr NameTable<AttemptState, 6> kNames{{
    {AttemptState::kPlanned, "planned"},
    {AttemptState::kPrepared, "prepared"},
    {AttemptState::kSending, "sending"},
    {AttemptState::kAccepted, "accepted"},
    {AttemptState::kRejected, "rejected"},
    {AttemptState::kUnknown, "unknown"},
}};

struct Fold {
  AttemptState state = AttemptState::kPlanned;
  bool has_open_send = false;  // a send whose outcome nobody knows

  void take(const Observation& observation) {
    if (is_evidence(observation)) state = AttemptState::kAccepted;
    if (state == AttemptState::kAccepted) return;
    switch (observation.verdict) {
      case Verdict::kPrepared:
        if (state == AttemptState::kPlanned) state = AttemptState::kPrepared;
        break;
      case Verdict::kWithdrawn:
        if (state == AttemptState::kPlanned || state == AttemptState::kPrepared) state = AttemptState::kRejected;
        break;
      case Verdict::kSending:
        has_open_send = has_open_send || is_unresolved(state);
        state = AttemptState::kSending;
        break;
      case Verdict::kNotSent:
        state = has_open_send ? AttemptState::kUnknown : AttemptState::kPrepared;
        break;
      case Verdict::kUnknown:
        has_open_send = true;
        state = AttemptState::kUnknown;
        break;
      case Verdict::kRejected:
        if (observation.source == ObservationSource::kDriver) {
          state = has_open_send ? AttemptState::kUnknown : AttemptState::kRejected;
        } else if (is_unresolved(state)) {
          state = AttemptState::kRejected;  // told apart from any sending, by a provider that was asked
        }
        break;
      // It had the proposal, and may have published it before it gave up: that it is dead only the chain says.
      case Verdict::kClaimsFailed:
      case Verdict::kAccepted:
      case Verdict::kDataSent:
      case Verdict::kClaimsKnown:
      case Verdict::kClaimsData:
      case Verdict::kClaimsPublished:
        state = AttemptState::kAccepted;
        break;
      // Providers say "sealed" of deals that they have never heard of (Curio's MK12 status), and "absent" while they
      // are still at work on one; what is left is the chain's and says nothing of ours.
      case Verdict::kClaimsActive:
      case Verdict::kClaimsAbsent:
      case Verdict::kOnChain:
      case Verdict::kActive:
      case Verdict::kFaulty:
      case Verdict::kTerminated:
      case Verdict::kNotFound:
      case Verdict::kForeign:
      case Verdict::kUnclear:
        break;
    }
  }
};

}  // namespace

std::string_view name_of(AttemptState state) { return name_in(kNames, state); }

std::optional<AttemptState> parse_attempt_state(std::string_view name) { return value_in(kNames, name); }

AttemptState attempt_state(History history) {
  Fold fold;
  for (const Observation& observation : history) fold.take(observation);
  return fold.state;
}

bool is_evidence(const Observation& observation) {
  if (observation.source != ObservationSource::kChain || !observation.is_ours || !observation.is_finalized) {
    return false;
  }
  return observation.verdict == Verdict::kOnChain || observation.verdict == Verdict::kActive ||
         observation.verdict == Verdict::kFaulty || observation.verdict == Verdict::kTerminated;
}

}  // namespace piecework::engine
