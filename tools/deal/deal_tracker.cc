#include "tools/deal/deal_tracker.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/deal/deal_request.h"

namespace piecework::tools {
namespace {

using engine::Epoch;
using engine::Observation;
using engine::Verdict;

constexpr Epoch kSearchSlackEpochs = 20;  // clocks differ a little
constexpr Epoch kSearchStepEpochs = 120;  // deals of an hour are looked for from the same epoch on

Verdict verdict_of(const engine::StatusClaim& claim, bool is_unresolved) {
  switch (claim.view) {
    case engine::ProviderView::kHasNot:
      return Verdict::kClaimsAbsent;
    case engine::ProviderView::kFailed:
      return Verdict::kClaimsFailed;
    case engine::ProviderView::kNoAnswer:
      return Verdict::kUnclear;
    case engine::ProviderView::kHasDeal:
      break;
  }
  // That it is there at all counts most while nobody knows.
  if (is_unresolved) return Verdict::kClaimsKnown;
  if (claim.stage == "complete" || claim.stage == "Sealed") return Verdict::kClaimsActive;
  if (claim.deal_id || !claim.publish_cid.empty()) return Verdict::kClaimsPublished;
  if (claim.stage == "sealing" || claim.stage == "indexing" || claim.stage == "processing") return Verdict::kClaimsData;
  return Verdict::kClaimsKnown;
}

}  // namespace

// Empty where the client has no account on chain at the finalized tipset: then nothing on chain is its. One that was
// not known when a deal was proposed may have one by now, and the market names it by that.
Result<engine::Address> DealTracker::client_id(const std::string& client) {
  const char prefix = session_.policy().network.address_prefix;
  PIECEWORK_ASSIGN(const std::string id, session_.book().id_address_of(client));
  if (!id.empty()) return engine::Address::parse(id, prefix);
  PIECEWORK_ASSIGN(const engine::Address address, engine::Address::parse(client, prefix));
  const ChainAnswer<engine::Address> answer = chain_.node().lookup_id(address, chain_.finalized());
  if (answer.verdict != ChainVerdict::kNoAnswer) return answer.value;
  return fail(ErrorCode::kUnavailable, ErrorSide::kSource,
              fmt::format("'{}' does not say which account {} is: {}", printable(chain_.point().endpoint), client,
                          answer.message));
}

Result<TrackedDeal> DealTracker::tracked(const engine::OpenAttempt& open) {
  const char prefix = session_.policy().network.address_prefix;
  const engine::AttemptTerms& terms = open.attempt.terms;
  TrackedDeal deal{.subject = engine::Subject::attempt(open.attempt.id)};
  if (open.attempt.protocol == "mk20") {
    deal.kind = terms.allocation_id ? engine::DealKind::kDdoVerified : engine::DealKind::kDdo;
  }
  PIECEWORK_ASSIGN(const engine::CataloguePiece piece, session_.reader().piece(open.intent.piece_id));
  engine::DealProposal& proposal = deal.own.proposal;
  PIECEWORK_ASSIGN(proposal.piece_cid, engine::parse_cid(piece.cid_v1));
  proposal.padded_bytes = piece.padded_bytes;
  proposal.is_verified = terms.is_verified;
  PIECEWORK_ASSIGN(proposal.client, engine::Address::parse(open.attempt.client, prefix));
  PIECEWORK_ASSIGN(proposal.provider, engine::Address::parse(open.intent.provider, prefix));
  proposal.label.content = terms.label;
  proposal.start_epoch = terms.start_epoch;
  proposal.end_epoch = terms.end_epoch;
  proposal.price_per_epoch = terms.price_per_epoch;
  proposal.provider_collateral = terms.provider_collateral;
  proposal.client_collateral = terms.client_collateral;
  PIECEWORK_ASSIGN(deal.own.client_id, client_id(open.attempt.client));
  const engine::ChainClock& clock = session_.policy().network.clock;
  const Epoch prepared_epoch = clock.epoch_at(open.attempt.prepared_at_s) - kSearchSlackEpochs;
  deal.own.sent_epoch = std::max<Epoch>(0, prepared_epoch - prepared_epoch % kSearchStepEpochs);
  deal.signed_cid = open.attempt.prepared.signed_proposal_cid;
  deal.allocation_id = terms.allocation_id;
  PIECEWORK_ASSIGN(const std::vector<Observation> history, session_.book().history(deal.subject));
  engine::DealRules rules{.start_epoch = terms.start_epoch, .end_epoch = terms.end_epoch, .clock = clock};
  const engine::DealView view = engine::deal_view(history, rules);
  deal.facts = view.facts;
  deal.claimed = view.claimed_facts;
  deal.is_claimed_alive = view.claim != nullptr && (view.claim->verdict == Verdict::kClaimsData ||
                                                    view.claim->verdict == Verdict::kClaimsPublished ||
                                                    view.claim->verdict == Verdict::kClaimsActive);
  return deal;
}

Result<TrackedDeal> DealTracker::tracked(const engine::DealRow& adopted) {
  const char prefix = session_.policy().network.address_prefix;
  TrackedDeal deal{.subject = engine::Subject::adopted(adopted.id), .kind = adopted.kind, .facts = adopted.facts};
  PIECEWORK_ASSIGN(const engine::CataloguePiece piece, session_.reader().piece(adopted.piece_id));
  PIECEWORK_ASSIGN(deal.own.proposal.piece_cid, engine::parse_cid(piece.cid_v1));
  deal.own.proposal.padded_bytes = piece.padded_bytes;
  PIECEWORK_ASSIGN(deal.own.proposal.client, engine::Address::parse(adopted.client, prefix));
  PIECEWORK_ASSIGN(deal.own.proposal.provider, engine::Address::parse(adopted.provider, prefix));
  deal.own.proposal.label.content = adopted.label;
  deal.own.proposal.start_epoch = adopted.start_epoch;
  deal.own.proposal.end_epoch = adopted.end_epoch;
  return deal;
}

Observation DealTracker::observation(Verdict verdict, std::string_view method, std::string_view detail) const {
  return engine::chain_observation(chain_.point(), verdict, method, "", detail);
}

std::optional<Observation> DealTracker::look_at_id(const TrackedDeal& deal, uint64_t deal_id) {
  const ChainAnswer<engine::MarketDeal>& answer = market_deal(deal_id);
  if (answer.verdict == ChainVerdict::kNoAnswer) return std::nullopt;
  if (answer.verdict == ChainVerdict::kNotFound) {
    Observation seen = observation(Verdict::kNotFound, answer.method, answer.message);
    seen.raw_sha256 = answer.raw_sha256;
    return seen;
  }
  engine::OwnDeal own = deal.own;
  if (!deal.subject.attempt_id) {
    // Of an adopted deal nobody here signed the money; it was read off the chain with the rest when it was adopted.
    const engine::DealProposal& there = answer.value.proposal;
    own.proposal.is_verified = there.is_verified;
    own.proposal.price_per_epoch = there.price_per_epoch;
    own.proposal.provider_collateral = there.provider_collateral;
    own.proposal.client_collateral = there.client_collateral;
  }
  std::optional<engine::SectorSighting> sighting;
  if (answer.value.sector) sighting = chain_.sector(own.proposal.provider, *answer.value.sector);
  return judge_market_deal(chain_.point(), own, deal_id, answer.value, sighting, answer.raw_sha256);
}

// Many deals are looked for among the same ones: each is read once at a point of the chain.
const ChainAnswer<engine::MarketDeal>& DealTracker::market_deal(uint64_t deal_id) {
  if (market_deals_epoch_ != chain_.finalized().epoch) market_deals_.clear();
  market_deals_epoch_ = chain_.finalized().epoch;
  const auto found = market_deals_.find(deal_id);
  if (found != market_deals_.end()) return found->second;
  return market_deals_.emplace(deal_id, chain_.node().market_deal(deal_id, chain_.finalized())).first->second;
}

DealTracker::ClaimedIds DealTracker::claimed_ids(const TrackedDeal& deal) {
  ClaimedIds claimed;
  if (deal.claimed.deal_id) claimed.ids.push_back(*deal.claimed.deal_id);
  if (deal.claimed.publish_cid.empty() || deal.signed_cid.empty()) return claimed;
  const Result<engine::Cid> message = engine::parse_cid(deal.claimed.publish_cid);
  const Epoch lookback = chain_.finalized().epoch - deal.own.sent_epoch + 1;
  if (!message || lookback <= 0) return claimed;
  const ChainAnswer<uint64_t> id =
      chain_.node().published_deal(*message, deal.signed_cid, lookback, chain_.finalized());
  if (id.verdict == ChainVerdict::kFound) claimed.ids.push_back(id.value);
  claimed.is_whole = id.verdict != ChainVerdict::kNoAnswer;
  return claimed;
}

// Where its id is known, that decides. Else it is looked for where the provider says, and then among all that the
// provider published since the proposal was made: only that can show that it is not there, and only while the provider
// does not say that it is. Nodes lose their index of events, and then list none: two such answers must not make a deal
// dead that is paid for.
Result<std::optional<Observation>> DealTracker::look_for_f05(const TrackedDeal& deal) {
  if (deal.facts.deal_id) return look_at_id(deal, *deal.facts.deal_id);
  const ClaimedIds claimed = claimed_ids(deal);
  std::vector<uint64_t> candidates = claimed.ids;
  const Epoch last = std::min(chain_.finalized().epoch, deal.own.proposal.start_epoch);
  const std::optional<std::vector<uint64_t>>& events =
      chain_.published_by(deal.own.proposal.provider, deal.own.sent_epoch, last);
  if (events) candidates.insert(candidates.end(), events->begin(), events->end());
  for (const uint64_t id : candidates) {
    PIECEWORK_ASSIGN(const bool is_taken, session_.book().is_taken(session_.network(), id, deal.subject));
    if (is_taken) continue;
    std::optional<Observation> seen = look_at_id(deal, id);
    if (!seen || seen->is_ours) return seen;
  }
  if (!claimed.is_whole) return std::nullopt;
  if (!events) return observation(Verdict::kUnclear, "GetActorEventsRaw", "the node keeps no events of these epochs");
  const std::string where = fmt::format("not among the {} deals that its provider published in epochs {} to {}",
                                        events->size(), deal.own.sent_epoch, last);
  if (!deal.is_claimed_alive) return observation(Verdict::kNotFound, "GetActorEventsRaw", where);
  return observation(Verdict::kUnclear, "GetActorEventsRaw", where + ", and the provider says that it has it");
}

std::optional<Observation> DealTracker::look_for_claim(const TrackedDeal& deal) {
  const uint64_t id = *deal.allocation_id;
  const ChainAnswer<engine::Claim> claim = chain_.node().claim(deal.own.proposal.provider, id, chain_.finalized());
  if (claim.verdict == ChainVerdict::kNoAnswer) return std::nullopt;
  if (claim.verdict == ChainVerdict::kFound) {
    return judge_claim(chain_.point(), deal.own, id, claim.value,
                       chain_.sector(deal.own.proposal.provider, claim.value.sector), claim.raw_sha256);
  }
  const ChainAnswer<engine::Allocation> allocation =
      chain_.node().allocation(deal.own.client_id, id, chain_.finalized());
  if (allocation.verdict == ChainVerdict::kNoAnswer) return std::nullopt;
  const engine::Allocation& there = allocation.value;
  const bool is_ours = allocation.verdict == ChainVerdict::kFound && there.piece_cid == deal.own.proposal.piece_cid &&
                       there.padded_bytes == deal.own.proposal.padded_bytes &&
                       there.provider_actor == deal.own.proposal.provider.actor_id();
  Observation seen = observation(Verdict::kNotFound, allocation.method, "neither claim nor allocation");
  seen.raw_sha256 = allocation.raw_sha256;
  if (allocation.verdict != ChainVerdict::kFound) return seen;
  if (is_ours && there.expiration_epoch < chain_.finalized().epoch) {
    seen.detail = fmt::format("allocation {} expired at epoch {} without a claim", id, there.expiration_epoch);
    return seen;
  }
  seen.verdict = is_ours ? Verdict::kOnChain : Verdict::kForeign;
  seen.is_ours = is_ours;
  seen.facts.allocation_id = id;
  seen.detail = fmt::format("allocation {} {}", id, is_ours ? "waits for its claim" : "is not ours");
  return seen;
}

// An unverified deal without f05 leaves an event alone, of the miner, with the piece; later its sector is asked for.
std::optional<Observation> DealTracker::look_for_sector(const TrackedDeal& deal) {
  const engine::DealProposal& own = deal.own.proposal;
  std::optional<uint64_t> sector = deal.facts.sector;
  if (!sector) {
    const std::optional<ChainChoice::Activation> activation =
        chain_.activation_of(own.provider, own.piece_cid, deal.own.sent_epoch, chain_.finalized().epoch);
    if (!activation) {
      return observation(Verdict::kUnclear, "GetActorEventsRaw", "the node keeps no events of these epochs");
    }
    sector = activation->sector;
  }
  if (!sector && deal.is_claimed_alive) {
    // The event is all there would be, and nodes lose them: against the provider's word its absence proves nothing.
    return observation(Verdict::kUnclear, "GetActorEventsRaw",
                       "no sector with the piece was activated, and the provider says that it has it");
  }
  if (!sector) return observation(Verdict::kNotFound, "GetActorEventsRaw", "no sector with the piece was activated");
  const std::optional<engine::SectorSighting> sighting = chain_.sector(own.provider, *sector);
  if (!sighting) return std::nullopt;
  return judge_sector(chain_.point(), *sector, *sighting, "");
}

Result<std::optional<engine::DealView>> DealTracker::look(const TrackedDeal& deal) {
  std::optional<Observation> seen;
  if (deal.kind == engine::DealKind::kF05) {
    PIECEWORK_ASSIGN(seen, look_for_f05(deal));
  } else if (deal.kind == engine::DealKind::kDdoVerified && deal.allocation_id) {
    seen = look_for_claim(deal);
  } else if (deal.kind == engine::DealKind::kDdo) {
    seen = look_for_sector(deal);
  }
  return store(deal, seen);
}

Result<std::optional<engine::DealView>> DealTracker::look_under(const TrackedDeal& deal, uint64_t deal_id) {
  return store(deal, look_at_id(deal, deal_id));
}

Result<std::optional<engine::DealView>> DealTracker::store(const TrackedDeal& deal,
                                                           const std::optional<Observation>& seen) {
  if (!seen) return std::nullopt;
  PIECEWORK_ASSIGN(engine::DealView view, session_.book().observe(deal.subject, *seen));
  return view;
}

Result<engine::DealView> DealTracker::take_claim(const engine::OpenAttempt& open, const engine::StatusClaim& claim,
                                                 const std::string& endpoint) {
  Observation said;
  said.at_s = deal_now_s();
  said.source = engine::ObservationSource::kProvider;
  said.verdict = verdict_of(claim, engine::is_unresolved(open.attempt.state));
  said.facts.deal_id = claim.deal_id;
  said.facts.publish_cid = claim.publish_cid;
  said.endpoint = endpoint;
  said.method = "status";
  said.raw_sha256 = claim.raw_sha256;
  said.detail = claim.message.empty() ? claim.stage : fmt::format("{}: {}", claim.stage, claim.message);
  const engine::Subject subject = engine::Subject::attempt(open.attempt.id);
  PIECEWORK_ASSIGN(const std::vector<Observation> history, session_.book().history(subject));
  const auto last = std::find_if(history.rbegin(), history.rend(), [](const Observation& seen) {
    return seen.source == engine::ObservationSource::kProvider;
  });
  const bool is_news = last == history.rend() || last->verdict != said.verdict || last->facts != said.facts ||
                       last->detail != said.detail;
  if (claim.view != engine::ProviderView::kNoAnswer && is_news) return session_.book().observe(subject, said);
  engine::DealRules rules{.start_epoch = open.attempt.terms.start_epoch, .end_epoch = open.attempt.terms.end_epoch};
  rules.clock = session_.policy().network.clock;
  engine::DealView view = engine::deal_view(history, rules);
  view.claim = view.evidence = nullptr;
  return view;
}

}  // namespace piecework::tools
