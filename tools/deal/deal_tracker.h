// Looks at deals where they are: what the provider claims, what the chain shows. Adds observations to the book; states
// follow from them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "tools/deal/chain_choice.h"
#include "tools/deal/deal_parties.h"
#include "tools/deal/deal_session.h"

namespace piecework::tools {

// What is known of a deal before it is looked for.
struct TrackedDeal {
  engine::Subject subject;
  engine::DealKind kind = engine::DealKind::kF05;
  engine::OwnDeal own;
  engine::Cid signed_cid;  // empty where there is no f05 proposal of ours
  std::optional<uint64_t> allocation_id;
  engine::DealFacts facts;    // the chain's, so far
  engine::DealFacts claimed;  // the provider's, so far
  // The provider says that it works on it, or is done.
  bool is_claimed_alive = false;
};

// Thread-compatible. What it is given outlives it.
class DealTracker {
 public:
  DealTracker(DealSession& session, ChainChoice& chain) : session_(session), chain_(chain) {}

  // The deal that an attempt proposes. Errors: those of reading the book.
  Result<TrackedDeal> tracked(const engine::OpenAttempt& open);
  Result<TrackedDeal> tracked(const engine::DealRow& adopted);

  // Asks the chain at its chosen point and stores what it says. None: the node gave no answer at all, and nothing is
  // stored.
  Result<std::optional<engine::DealView>> look(const TrackedDeal& deal);
  // The same of an f05 deal that somebody says is `deal_id`.
  Result<std::optional<engine::DealView>> look_under(const TrackedDeal& deal, uint64_t deal_id);

  // Stores a provider's word where it is another than its last. Returns the state after it.
  Result<engine::DealView> take_claim(const engine::OpenAttempt& open, const engine::StatusClaim& claim,
                                      const std::string& endpoint);

 private:
  // Ids under which the deal is, as far as the provider's word leads to any.
  struct ClaimedIds {
    std::vector<uint64_t> ids;
    bool is_whole = true;  // false: the node did not say what the provider's message published
  };
  ClaimedIds claimed_ids(const TrackedDeal& deal);
  Result<std::optional<engine::Observation>> look_for_f05(const TrackedDeal& deal);
  std::optional<engine::Observation> look_at_id(const TrackedDeal& deal, uint64_t deal_id);
  const ChainAnswer<engine::MarketDeal>& market_deal(uint64_t deal_id);
  std::optional<engine::Observation> look_for_claim(const TrackedDeal& deal);
  std::optional<engine::Observation> look_for_sector(const TrackedDeal& deal);
  engine::Observation observation(engine::Verdict verdict, std::string_view method, std::string_view detail) const;
  Result<engine::Address> client_id(const std::string& client);
  Result<std::optional<engine::DealView>> store(const TrackedDeal& deal,
                                                const std::optional<engine::Observation>& seen);

  DealSession& session_;
  ChainChoice& chain_;
  std::map<uint64_t, ChainAnswer<engine::MarketDeal>> market_deals_;  // at market_deals_epoch_
  engine::Epoch market_deals_epoch_ = -1;
};

}  // namespace piecework::tools
