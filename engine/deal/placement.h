// Which providers get a piece: copies that are missing are given to different providers of enough owners and regions.
//
// A copy has a slot, and what was tried for a slot has generations. A slot gets its next generation only when the one
// before is finally dead (deal_state.h), or ends soon and is renewed; so nothing here can make two deals where one was
// wanted. What is lost or long faulty, but not dead, is replaced in a slot of its own. Pure: the same book and policy
// give the same placements, in the order of the policy's file where prices and loads are equal.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/deal/deal_policy.h"
#include "engine/deal/deal_state.h"

namespace piecework::engine {

enum class IntentReason : uint8_t { kNew, kRenew, kRepair };
std::string_view name_of(IntentReason reason);
std::optional<IntentReason> parse_intent_reason(std::string_view name);

// What the book has of one piece at one provider: an intent with its attempt and deal, or an adopted deal.
struct CopyView {
  std::string provider;
  std::optional<uint64_t> slot;  // none of an adopted deal
  uint64_t generation = 0;
  std::optional<uint64_t> deal;    // the book's number
  std::optional<uint64_t> renews;  // the deal that this one takes the place of
  AttemptState attempt = AttemptState::kPlanned;
  DealState state = DealState::kNone;
  Epoch faulty_epochs = 0;  // for how long, where it is faulty
};

struct Placement {
  std::string provider;
  uint64_t slot = 0;
  uint64_t generation = 0;
  IntentReason reason = IntentReason::kNew;
  std::optional<uint64_t> renews;
};

// What is asked for: only the first `kNew` copies, only successors, or only replacements.
struct PlacementRequest {
  uint64_t padded_bytes = 0;
  std::vector<CopyView> copies;
  IntentReason reason = IntentReason::kNew;
};

struct PlacementResult {
  std::vector<Placement> placements;
  uint64_t unplaced_count = 0;  // copies for which the policy has no provider
  std::string why_unplaced;
};

// Live copies by provider, of all pieces; place_copies adds what it places.
using ProviderLoad = std::map<std::string, uint64_t, std::less<>>;

PlacementResult place_copies(const DealPolicy& policy, const PlacementRequest& request, ProviderLoad& load);

// Whether nothing can become of a copy any more.
bool is_dead(const CopyView& copy);
// Whether a copy counts towards the policy's number.
bool counts_as_copy(const CopyView& copy, const DealPolicy& policy);

}  // namespace piecework::engine
