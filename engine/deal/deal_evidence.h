// What the chain's answers say of one of our deals: pure judgements, from answers to observations.
//
// A deal is ours when every field of what is on chain is what we signed, or, of kinds of which the chain knows less (a
// claim, a sector's event), every field that there is. Anything else under the same number is somebody else's.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/deal/chain_replies.h"
#include "engine/deal/deal_proposal.h"
#include "engine/deal/observation.h"

namespace piecework::engine {

// Where and when a node was asked: what all observations of one pass have in common.
struct ChainPoint {
  std::string endpoint;
  int64_t at_s = 0;
  Epoch head_epoch = -1;
  ChainTipset finalized;
};

// What we signed or asked for.
struct OwnDeal {
  DealProposal proposal;  // of a deal without an f05 proposal: piece, size, parties and epochs count
  Address client_id;      // empty where it is not known
  Epoch sent_epoch = 0;   // from when on it may be on chain
};

// A sector as the chain shows it; `is_faulty` where a node could tell.
struct SectorSighting {
  std::optional<SectorInfo> sector;  // none: there is no such sector (any more)
  bool is_faulty = false;
};

// An observation at `point` of the chain, by `method`. `raw_sha256` is that of the answer that decided.
Observation chain_observation(const ChainPoint& point, Verdict verdict, std::string_view method,
                              std::string_view raw_sha256, std::string_view detail = "");

// f05. `deal` is what stands under `deal_id`; `sighting` is asked for where a sector holds it.
Observation judge_market_deal(const ChainPoint& point, const OwnDeal& own, uint64_t deal_id, const MarketDeal& deal,
                              const std::optional<SectorSighting>& sighting, std::string_view raw_sha256);
// A verified deal without f05: its claim.
Observation judge_claim(const ChainPoint& point, const OwnDeal& own, uint64_t claim_id, const Claim& claim,
                        const std::optional<SectorSighting>& sighting, std::string_view raw_sha256);
// A deal of which the chain knows the sector alone, which an event of ours named.
Observation judge_sector(const ChainPoint& point, uint64_t sector, const SectorSighting& sighting,
                         std::string_view raw_sha256);

// Events "deal-published" of the market actor for a provider: the ids of deals, whoever's they are.
nlohmann::json published_event_filter(const Address& provider, char prefix, Epoch from_epoch, Epoch to_epoch);
// None where the answer is malformed; events that were reverted are left out.
std::optional<std::vector<uint64_t>> parse_published_ids(const nlohmann::json& result);

}  // namespace piecework::engine
