// What became of one attempt to make a deal, read off its history.
//
//   planned -> prepared -> sending -> accepted | rejected | unknown
//              |  ^             ^                      |
//              v  +- not sent   +----- same bytes -----+
//           rejected (withdrawn before the first byte was sent)
//
// An answer that does not tell leaves the attempt unknown: the provider may have taken the proposal. Then only the
// provider's status, or the chain, closes it; a refusal of a repetition does not, since it may be a refusal of the
// repetition alone. A provider that says that the deal failed had taken it: accepted, and dead by the chain alone.
// Evidence of the chain counts more than any answer. Pure; nothing here reads a clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/deal/observation.h"

namespace piecework::engine {

enum class AttemptState : uint8_t { kPlanned, kPrepared, kSending, kAccepted, kRejected, kUnknown };

std::string_view name_of(AttemptState state);
std::optional<AttemptState> parse_attempt_state(std::string_view name);

AttemptState attempt_state(History history);

// Whether the stored bytes may be sent (again). A history that ends with kSending is that of a driver that died.
constexpr bool may_send(AttemptState state) {
  return state == AttemptState::kPrepared || state == AttemptState::kSending || state == AttemptState::kUnknown;
}
// Whether the provider may have the proposal and nobody knows.
constexpr bool is_unresolved(AttemptState state) {
  return state == AttemptState::kSending || state == AttemptState::kUnknown;
}

// The chain shows the deal with all fields ours, at a finalized tipset.
bool is_evidence(const Observation& observation);

}  // namespace piecework::engine
