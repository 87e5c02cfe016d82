#include "engine/record/deal_sql.h"

#include <fmt/format.h>

#include "engine/deal/name_table.h"

namespace piecework::engine {
namespace {

constexpr NameTable<DealKind, 5> kKinds{{
    {DealKind::kF05, "f05"},
    {DealKind::kDdo, "ddo"},
    {DealKind::kDdoVerified, "ddo-verified"},
    {DealKind::kPdp, "pdp"},
    {DealKind::kAggregate, "aggregate"},
}};

std::optional<Epoch> epoch_at(const Statement& row, int column) {
  if (row.column_is_null(column)) return std::nullopt;
  return row.column_int64(column);
}

std::string text_at(const Statement& row, int column) { return std::string(row.column_text(column)); }

Result<AttoFil> amount_at(const Statement& row, int column) {
  const Result<AttoFil> amount = parse_atto_fil(row.column_text(column), "amount");
  if (!amount) return damaged_book("an amount that is none");
  return *amount;
}

Result<Cid> cid_at(const Statement& row, int column) {
  const std::string_view text = row.column_text(column);
  if (text.empty()) return Cid();
  Result<Cid> cid = parse_cid(text);
  if (!cid) return damaged_book("a CID that is none");
  return cid;
}

template <class Value>
Result<Value> known(std::optional<Value> value) {
  if (!value) return damaged_book("a name that this program does not know");
  return *value;
}

}  // namespace

std::string_view name_of(DealKind kind) { return name_in(kKinds, kind); }

std::optional<DealKind> parse_deal_kind(std::string_view name) { return value_in(kKinds, name); }

tl::unexpected<Error> damaged_book(std::string_view what) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource, fmt::format("the book of deals is damaged: it has {}", what));
}

Result<Observation> read_observation(const Statement& row, int first) {
  Observation seen;
  seen.at_s = row.column_int64(first + 1);
  PIECEWORK_ASSIGN(seen.source, known(parse_observation_source(row.column_text(first + 2))));
  PIECEWORK_ASSIGN(seen.verdict, known(parse_verdict(row.column_text(first + 3))));
  seen.is_ours = row.column_uint64(first + 4) != 0;
  seen.is_finalized = row.column_uint64(first + 5) != 0;
  seen.head_epoch = row.column_int64(first + 6);
  seen.tipset_epoch = row.column_int64(first + 7);
  seen.facts.deal_id = row.column_optional(first + 8);
  seen.facts.allocation_id = row.column_optional(first + 9);
  seen.facts.claim_id = row.column_optional(first + 10);
  seen.facts.sector = row.column_optional(first + 11);
  seen.facts.activation_epoch = epoch_at(row, first + 12);
  seen.facts.expiration_epoch = epoch_at(row, first + 13);
  seen.facts.publish_cid = text_at(row, first + 14);
  seen.endpoint = text_at(row, first + 15);
  seen.method = text_at(row, first + 16);
  seen.tipset = text_at(row, first + 17);
  seen.raw_sha256 = text_at(row, first + 18);
  seen.detail = text_at(row, first + 19);
  return seen;
}

Result<IntentRow> read_intent(const Statement& row, int first) {
  IntentRow intent;
  intent.id = row.column_uint64(first);
  intent.network = text_at(row, first + 1);
  intent.piece_id = row.column_uint64(first + 2);
  intent.provider = text_at(row, first + 3);
  intent.slot = row.column_uint64(first + 4);
  intent.generation = row.column_uint64(first + 5);
  intent.policy_id = row.column_uint64(first + 6);
  PIECEWORK_ASSIGN(intent.reason, known(parse_intent_reason(row.column_text(first + 7))));
  intent.renews = row.column_optional(first + 8);
  intent.renew_before_epochs = row.column_int64(first + 9);
  intent.created_at_s = row.column_int64(first + 10);
  return intent;
}

Result<AttemptRow> read_attempt(const Statement& row, int first) {
  AttemptRow attempt;
  attempt.id = row.column_uint64(first);
  attempt.intent_id = row.column_uint64(first + 1);
  attempt.protocol = text_at(row, first + 2);
  attempt.prepared.client_key = text_at(row, first + 3);
  const ByteSpan bytes = row.column_blob(first + 4);
  attempt.prepared.bytes.assign(bytes.begin(), bytes.end());
  attempt.client = text_at(row, first + 5);
  PIECEWORK_ASSIGN(attempt.prepared.proposal_cid, cid_at(row, first + 6));
  PIECEWORK_ASSIGN(attempt.prepared.onchain_cid, cid_at(row, first + 7));
  PIECEWORK_ASSIGN(attempt.prepared.signed_proposal_cid, cid_at(row, first + 8));
  attempt.terms.label = text_at(row, first + 9);
  attempt.terms.is_verified = row.column_uint64(first + 10) != 0;
  attempt.terms.allocation_id = row.column_optional(first + 11);
  attempt.terms.start_epoch = row.column_int64(first + 12);
  attempt.terms.end_epoch = row.column_int64(first + 13);
  PIECEWORK_ASSIGN(attempt.terms.price_per_epoch, amount_at(row, first + 14));
  PIECEWORK_ASSIGN(attempt.terms.provider_collateral, amount_at(row, first + 15));
  PIECEWORK_ASSIGN(attempt.terms.client_collateral, amount_at(row, first + 16));
  attempt.terms.transfer = text_at(row, first + 17);
  attempt.prepared_at_s = row.column_int64(first + 18);
  PIECEWORK_ASSIGN(attempt.state, known(parse_attempt_state(row.column_text(first + 19))));
  return attempt;
}

Result<DealRow> read_deal(const Statement& row, int first) {
  DealRow deal;
  deal.id = row.column_uint64(first);
  deal.attempt_id = row.column_optional(first + 1);
  deal.network = text_at(row, first + 2);
  deal.piece_id = row.column_uint64(first + 3);
  deal.provider = text_at(row, first + 4);
  deal.client = text_at(row, first + 5);
  PIECEWORK_ASSIGN(deal.kind, known(parse_deal_kind(row.column_text(first + 6))));
  deal.label = text_at(row, first + 7);
  deal.start_epoch = row.column_int64(first + 8);
  deal.end_epoch = row.column_int64(first + 9);
  deal.renew_before_epochs = row.column_int64(first + 10);
  deal.facts.deal_id = row.column_optional(first + 11);
  deal.facts.allocation_id = row.column_optional(first + 12);
  deal.facts.claim_id = row.column_optional(first + 13);
  deal.facts.sector = row.column_optional(first + 14);
  deal.facts.publish_cid = text_at(row, first + 15);
  deal.facts.activation_epoch = epoch_at(row, first + 16);
  deal.facts.expiration_epoch = epoch_at(row, first + 17);
  PIECEWORK_ASSIGN(deal.state, known(parse_deal_state(row.column_text(first + 18))));
  deal.as_of_epoch = row.column_int64(first + 19);
  deal.faulty_since = epoch_at(row, first + 20);
  return deal;
}

}  // namespace piecework::engine
