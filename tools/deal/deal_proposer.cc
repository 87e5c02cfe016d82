#include "tools/deal/deal_proposer.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/codec/piece_cid.h"
#include "engine/deal/deal_request.h"
#include "kernels/base/kill_point.h"

namespace piecework::tools {
namespace {

using engine::AttemptState;
using engine::AttoFil;
using engine::Epoch;
using engine::Observation;
using engine::Verdict;

Verdict verdict_of(const engine::SubmitOutcome& outcome) {
  switch (outcome.verdict) {
    case engine::SubmitVerdict::kAccepted:
      return Verdict::kAccepted;
    case engine::SubmitVerdict::kRejected:
      return Verdict::kRejected;
    case engine::SubmitVerdict::kUnknown:
      break;
  }
  return outcome.was_sent ? Verdict::kUnknown : Verdict::kNotSent;
}

}  // namespace

Result<ProposeOutcome> DealProposer::outcome_of(const engine::IntentRow& intent) {
  ProposeOutcome outcome{.intent = intent};
  PIECEWORK_ASSIGN(const engine::CataloguePiece piece, session_.reader().piece(intent.piece_id));
  outcome.piece_cid_v1 = piece.cid_v1;
  return outcome;
}

Result<engine::DealRequest> DealProposer::request_for(const engine::IntentRow& intent,
                                                      const engine::CataloguePiece& piece,
                                                      const engine::PolicyProvider& provider) {
  const engine::DealPolicy& policy = session_.policy();
  engine::DealRequest request;
  PIECEWORK_ASSIGN(const engine::PieceCid parsed, engine::parse_piece_cid(piece.cid_v1));
  request.piece_root = parsed.root;
  request.payload_bytes = piece.payload_bytes;
  request.padded_bytes = piece.padded_bytes;
  request.payload_root = piece.root;
  request.client = preflight_.client();
  request.client_id = preflight_.client_id();
  PIECEWORK_ASSIGN(request.provider, engine::Address::parse(intent.provider, policy.network.address_prefix));
  request.address_prefix = policy.network.address_prefix;
  request.start_epoch = chain_.point().head_epoch + policy.start_delay_epochs;
  request.end_epoch = request.start_epoch + policy.duration_epochs;
  PIECEWORK_ASSIGN(request.price,
                   engine::price_of(provider.price_per_gib_epoch, piece.padded_bytes, policy.duration_epochs));
  request.is_verified = policy.verified;
  // By convention; what mk20 proposes has none.
  if (provider.protocol != engine::DealProtocol::kMk20) request.label = piece.root.text();
  request.transfer = provider.transfer;
  if (request.transfer == engine::DataTransfer::kPull) {
    request.urls.push_back({policy.piece_url + piece.cid_v2, {}});
    if (!provider.piece_token_file.empty()) {
      PIECEWORK_ASSIGN(const std::string token, read_token_file(provider.piece_token_file));
      request.urls.back().headers["Authorization"] = "Bearer " + token;
    }
  }
  const auto allocation = allocations_.find({piece.cid_v1, intent.provider});
  if (allocation != allocations_.end()) request.allocation_id = allocation->second;
  return request;
}

Result<engine::OpenAttempt> DealProposer::store(const engine::IntentRow& intent, const engine::DealRequest& request,
                                                std::string_view protocol, const engine::PreparedDeal& prepared) {
  const engine::DealPolicy& policy = session_.policy();
  engine::NewAttempt attempt{.intent_id = intent.id, .protocol = std::string(protocol), .client = policy.client};
  attempt.prepared = prepared;
  attempt.terms = {.label = request.label,
                   .is_verified = request.is_verified,
                   .allocation_id = request.allocation_id,
                   .start_epoch = request.start_epoch,
                   .end_epoch = request.end_epoch,
                   .price_per_epoch = request.price.per_epoch,
                   .provider_collateral = request.provider_collateral,
                   .client_collateral = request.client_collateral,
                   .transfer = std::string(name_of(request.transfer))};
  PIECEWORK_ASSIGN(attempt.cost_max, engine::add(request.price.total, request.client_collateral));
  attempt.campaign = policy.name;
  attempt.caps = policy.caps;
  attempt.now_s = deal_now_s();
  engine::OpenAttempt open{.intent = intent};
  PIECEWORK_ASSIGN(open.attempt.id, session_.book().add_attempt(attempt));
  open.attempt.intent_id = intent.id;
  open.attempt.protocol = attempt.protocol;
  open.attempt.client = attempt.client;
  open.attempt.prepared = attempt.prepared;
  open.attempt.terms = attempt.terms;
  open.attempt.prepared_at_s = attempt.now_s;
  open.attempt.state = AttemptState::kPrepared;
  return open;
}

Result<ProposeOutcome> DealProposer::propose(const engine::IntentRow& intent) {
  PIECEWORK_ASSIGN(ProposeOutcome outcome, outcome_of(intent));
  if (paused_.contains(intent.provider)) {
    outcome.reason = kProviderIsPaused;
    return outcome;
  }
  const engine::PolicyProvider* const provider = session_.policy().find_provider(intent.provider);
  if (provider == nullptr) {
    outcome.reason = "the policy has no such provider any more";
    return outcome;
  }
  PIECEWORK_ASSIGN(const engine::CataloguePiece piece, session_.reader().piece(intent.piece_id));
  PIECEWORK_ASSIGN(const DealPreflight::ProviderTerms terms, preflight_.terms_of(intent, piece));
  PIECEWORK_ASSIGN(engine::DealRequest request, request_for(intent, piece, *provider));
  if (provider->protocol != engine::DealProtocol::kMk20) request.provider_collateral = terms.collateral;
  outcome.reason = terms.refusal;
  if (outcome.reason.empty()) {
    PIECEWORK_ASSIGN(outcome.reason, preflight_.refusal_of(request, provider->protocol));
  }
  const Result<engine::DealAdapter*> adapter = parties_.adapter_of(intent.provider);
  if (!adapter) outcome.reason = adapter.error().message;
  if (!outcome.reason.empty()) return outcome;
  PIECEWORK_TRY(session_.book().keep_lease(deal_now_s()));
  kill_point("deal.before_prepare");
  const Result<engine::PreparedDeal> prepared = (*adapter)->prepare(request);
  kill_point("deal.after_prepare");
  Result<engine::OpenAttempt> open = prepared ? store(intent, request, (*adapter)->protocol(), *prepared)
                                              : tl::unexpected<Error>(prepared.error());
  kill_point("deal.after_store");
  if (!open && open.error().code != ErrorCode::kInvalidArgument) return tl::unexpected<Error>(open.error());
  if (!open) {
    // Terms that must not be signed, or more than one deal may cost: the others are not to wait for it.
    outcome.reason = open.error().message;
    return outcome;
  }
  preflight_.spend(request, provider->protocol);
  return send(std::move(*open), false);
}

Status DealProposer::note(uint64_t attempt_id, Verdict verdict, const std::string& endpoint, const std::string& detail,
                          engine::OpenAttempt& open) {
  Observation seen{.at_s = deal_now_s(), .verdict = verdict, .endpoint = endpoint, .detail = detail};
  PIECEWORK_ASSIGN(const engine::DealView view, session_.book().observe(engine::Subject::attempt(attempt_id), seen));
  open.attempt.state = view.attempt;
  open.deal_state = view.state;
  return {};
}

Result<ProposeOutcome> DealProposer::send(engine::OpenAttempt open, bool is_repeat) {
  PIECEWORK_ASSIGN(ProposeOutcome outcome, outcome_of(open.intent));
  PIECEWORK_ASSIGN(engine::DealAdapter * adapter, parties_.adapter_of(open.intent.provider));
  const uint64_t id = open.attempt.id;
  PIECEWORK_TRY(session_.book().keep_lease(deal_now_s()));
  PIECEWORK_TRY(note(id, Verdict::kSending, open.intent.provider, "", open));
  kill_point("deal.before_submit");
  const engine::SubmitOutcome submitted = adapter->submit(open.attempt.prepared, is_repeat);
  kill_point("deal.after_submit");
  const std::string detail = submitted.http_status == 0
                                 ? submitted.reason
                                 : fmt::format("HTTP {}: {}", submitted.http_status, submitted.reason);
  PIECEWORK_TRY(note(id, verdict_of(submitted), open.intent.provider, detail, open));
  kill_point("deal.after_outcome");
  if (submitted.is_busy || !submitted.was_sent || open.attempt.state == AttemptState::kUnknown) {
    paused_.insert(open.intent.provider);
  }
  outcome.client_key = open.attempt.prepared.client_key;
  outcome.state = open.attempt.state;
  outcome.deal_state = open.deal_state;
  outcome.reason = submitted.reason;
  if (submitted.retry_after_s > 0) {
    outcome.reason += fmt::format(" (it asks for patience of {} s)", submitted.retry_after_s);
  }
  return outcome;
}

Result<ProposeOutcome> DealProposer::resume(const engine::OpenAttempt& left) {
  engine::OpenAttempt open = left;
  PIECEWORK_ASSIGN(ProposeOutcome outcome, outcome_of(open.intent));
  outcome.client_key = open.attempt.prepared.client_key;
  outcome.state = open.attempt.state;
  outcome.deal_state = open.deal_state;
  const engine::PolicyProvider* const provider = parties_.provider_of(open);
  if (provider == nullptr) {
    outcome.reason = "the policy no longer has its provider, protocol and client: name one that has them";
    return outcome;
  }
  if (paused_.contains(open.intent.provider)) {
    outcome.reason = kProviderIsPaused;
    return outcome;
  }
  const Epoch lead = open.attempt.terms.start_epoch - chain_.point().head_epoch;
  if (open.attempt.state == AttemptState::kPrepared) {
    // Nothing of it has left: where too little time is left to seal it, it is signed anew with another start.
    const Epoch least_lead = std::max(provider->seal_epochs, session_.policy().start_delay_epochs / 2);
    if (lead >= least_lead) return send(std::move(open), false);
    PIECEWORK_TRY(note(open.attempt.id, Verdict::kWithdrawn, "", "its start came too near before it was sent", open));
    outcome.state = open.attempt.state;
    outcome.reason = "withdrawn before it was sent: its start came too near";
    return outcome;
  }
  if (!engine::is_unresolved(open.attempt.state)) return outcome;
  PIECEWORK_ASSIGN(const bool may_lack_it, settle(open, outcome));
  const bool is_open = engine::is_unresolved(outcome.state) && outcome.deal_state == engine::DealState::kNone;
  if (!may_lack_it || !is_open || lead <= 0) return outcome;
  return send(std::move(open), true);
}

// Asks the provider and, where that does not tell, the chain. Whether the provider may lack what it was sent: one that
// does not say (Curio's MK12) may be sent the same bytes again; one that is not there may not be bothered.
Result<bool> DealProposer::settle(const engine::OpenAttempt& open, ProposeOutcome& outcome) {
  const Result<engine::DealAdapter*> adapter = parties_.adapter_of(open.intent.provider);
  if (!adapter) {
    outcome.reason = adapter.error().message;
    return false;
  }
  PIECEWORK_TRY(session_.book().keep_lease(deal_now_s()));
  const engine::StatusClaim claim = (*adapter)->status(open.attempt.prepared);
  kill_point("deal.after_status");
  PIECEWORK_ASSIGN(const engine::DealView claimed, tracker_.take_claim(open, claim, open.intent.provider));
  outcome.state = claimed.attempt;
  outcome.deal_state = claimed.state;
  outcome.reason = claim.message.empty() ? claim.stage : claim.message;
  if (!engine::is_unresolved(claimed.attempt)) return false;
  // Behind the chain's word nothing is left to be asked.
  PIECEWORK_ASSIGN(const TrackedDeal tracked, tracker_.tracked(open));
  PIECEWORK_ASSIGN(const std::optional<engine::DealView> seen, tracker_.look(tracked));
  if (seen) {
    outcome.state = seen->attempt;
    outcome.deal_state = seen->state;
  }
  if (claim.http_status == 0 && claim.view == engine::ProviderView::kNoAnswer) paused_.insert(open.intent.provider);
  return claim.view == engine::ProviderView::kHasNot || claim.http_status != 0 || open.attempt.protocol == "offline";
}

}  // namespace piecework::tools
