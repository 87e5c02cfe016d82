// Reading the book's rows off statements: the columns in the order in which the functions expect them.
#pragma once

#include "engine/record/deal_rows.h"
#include "engine/record/sqlite.h"

namespace piecework::engine {

inline constexpr char kObservationColumns[] =
    "observation, at, source, verdict, is_ours, is_finalized, head_epoch, tipset_epoch, deal_id, allocation_id, "
    "claim_id, sector, activation_epoch, expiration_epoch, publish_cid, endpoint, method, tipset, raw_sha256, detail";
inline constexpr char kIntentColumns[] =
    "i.intent, i.network, i.piece, i.provider, i.slot, i.generation, i.policy, i.reason, i.renews, "
    "i.renew_before_epochs, i.created_at";
inline constexpr char kAttemptColumns[] =
    "a.attempt, a.intent, a.protocol, a.client_key, a.request, a.client, a.proposal_cid, a.onchain_cid, a.signed_cid, "
    "a.label, a.is_verified, a.allocation_id, a.start_epoch, a.end_epoch, a.price_per_epoch, a.provider_collateral, "
    "a.client_collateral, a.transfer, a.prepared_at, a.state";
inline constexpr char kDealColumns[] =
    "d.deal, d.attempt, d.network, d.piece, d.provider, d.client, d.kind, d.label, d.start_epoch, d.end_epoch, "
    "d.renew_before_epochs, d.deal_id, d.allocation_id, d.claim_id, d.sector, d.publish_cid, d.activation_epoch, "
    "d.expiration_epoch, d.state, d.as_of_epoch, d.faulty_since";
inline constexpr int kIntentColumnCount = 11;
inline constexpr int kAttemptColumnCount = 20;

// Columns from `first` on. Errors: kCorrupt (source) for text that the program cannot have written.
Result<Observation> read_observation(const Statement& row, int first);
Result<IntentRow> read_intent(const Statement& row, int first);
Result<AttemptRow> read_attempt(const Statement& row, int first);
Result<DealRow> read_deal(const Statement& row, int first);

tl::unexpected<Error> damaged_book(std::string_view what);

}  // namespace piecework::engine
