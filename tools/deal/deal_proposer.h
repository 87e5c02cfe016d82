// Brings intents to providers: each is signed, stored, and only then sent, and sent again only as it was stored.
//
//   check ─▶ prepare and sign ─▶ store with the money reserved ─▶ store "sending" ─▶ send ─▶ store the outcome
//
// Between any two steps the process may die. What was not sent by then is prepared anew or sent; what may have been
// sent is asked for, and sent again byte for byte where the provider does not know it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/deal/deal_price.h"
#include "tools/deal/chain_choice.h"
#include "tools/deal/deal_parties.h"
#include "tools/deal/deal_preflight.h"
#include "tools/deal/deal_session.h"
#include "tools/deal/deal_tracker.h"

namespace piecework::tools {

// What is said of deals with a provider that was silent or busy before.
inline constexpr std::string_view kProviderIsPaused =
    "its provider did not answer before, and is left alone in this run";

// What became of one attempt in this run, for the report.
struct ProposeOutcome {
  engine::IntentRow intent;
  std::string piece_cid_v1;
  std::string client_key;
  engine::AttemptState state = engine::AttemptState::kPlanned;
  engine::DealState deal_state = engine::DealState::kNone;
  std::string reason;  // for people
};

// Thread-compatible. What it is given outlives it.
class DealProposer {
 public:
  DealProposer(DealSession& session, ChainChoice& chain, DealParties& parties, DealTracker& tracker)
      : session_(session), chain_(chain), parties_(parties), tracker_(tracker), preflight_(session, chain) {}

  // The allocation that the client made for a piece (its CID, version 1) at a provider: what a verified mk20 deal
  // needs.
  void use_allocation(const std::string& piece_cid_v1, const std::string& provider, uint64_t allocation_id) {
    allocations_[{piece_cid_v1, provider}] = allocation_id;
  }

  // Reads what holds for all deals of this run. Errors: those of DealPreflight::begin.
  Status begin() { return preflight_.begin(); }

  // Signs and stores an attempt at `intent`, then sends it. Errors end the run: those of the book, of the signer, of a
  // day's or campaign's cap that has no room; what concerns this deal alone is in the outcome.
  Result<ProposeOutcome> propose(const engine::IntentRow& intent);

  // What an earlier run left: asks the provider, and sends again what it does not know and nobody may have refused.
  Result<ProposeOutcome> resume(const engine::OpenAttempt& open);

  // Providers that did not answer, or asked for patience, in this run: they get nothing more in it.
  const std::set<std::string>& paused() const { return paused_; }

 private:
  Result<engine::DealRequest> request_for(const engine::IntentRow& intent, const engine::CataloguePiece& piece,
                                          const engine::PolicyProvider& provider);
  Result<engine::OpenAttempt> store(const engine::IntentRow& intent, const engine::DealRequest& request,
                                    std::string_view protocol, const engine::PreparedDeal& prepared);
  Result<ProposeOutcome> send(engine::OpenAttempt open, bool is_repeat);
  Result<bool> settle(const engine::OpenAttempt& open, ProposeOutcome& outcome);
  Result<ProposeOutcome> outcome_of(const engine::IntentRow& intent);
  Status note(uint64_t attempt_id, engine::Verdict verdict, const std::string& endpoint, const std::string& detail,
              engine::OpenAttempt& open);

  DealSession& session_;
  ChainChoice& chain_;
  DealParties& parties_;
  DealTracker& tracker_;
  DealPreflight preflight_;
  std::set<std::string> paused_;
  std::map<std::pair<std::string, std::string>, uint64_t> allocations_;
};

}  // namespace piecework::tools
