// Attempts, observations and the states that follow from them; money that is reserved.
#include <fmt/format.h>

#include "engine/record/deal_book.h"
#include "engine/record/deal_sql.h"
#include "kernels/base/check.h"

namespace piecework::engine {
namespace {

constexpr int64_t kDaySeconds = 86'400;

int64_t day_of(int64_t now_s) { return now_s / kDaySeconds; }

DealKind kind_of(const AttemptRow& attempt) {
  if (attempt.protocol != "mk20") return DealKind::kF05;
  return attempt.terms.allocation_id ? DealKind::kDdoVerified : DealKind::kDdo;
}

// A history with the numbers of its rows, so that one of them can be pointed at.
struct NumberedHistory {
  std::vector<Observation> observations;
  std::vector<uint64_t> ids;

  std::optional<uint64_t> id_of(const Observation* observation) const {
    if (observation == nullptr) return std::nullopt;
    return ids[static_cast<size_t>(observation - observations.data())];
  }
};

Result<NumberedHistory> read_history(Database& database, const Subject& subject) {
  const std::string_view column = subject.attempt_id ? "attempt" : "deal";
  PIECEWORK_ASSIGN(Statement rows, database.prepare(fmt::format("SELECT {} FROM observations WHERE {}=? ORDER BY "
                                                                "observation",
                                                                kObservationColumns, column)));
  rows.bind(1, subject.attempt_id ? *subject.attempt_id : subject.deal_id.value_or(0));
  NumberedHistory history;
  for (;;) {
    PIECEWORK_ASSIGN(const bool row, rows.step());
    if (!row) return history;
    history.ids.push_back(rows.column_uint64(0));
    PIECEWORK_ASSIGN(Observation observation, read_observation(rows, 0));
    history.observations.push_back(std::move(observation));
  }
}

Result<std::optional<DealRow>> find_deal(Database& database, std::string_view where, uint64_t id) {
  PIECEWORK_ASSIGN(Statement find,
                   database.prepare(fmt::format("SELECT {} FROM deals d WHERE d.{}=?", kDealColumns, where)));
  PIECEWORK_ASSIGN(const bool row, find.bind(1, id).step());
  if (!row) return std::nullopt;
  PIECEWORK_ASSIGN(DealRow deal, read_deal(find, 0));
  return deal;
}

Status update_deal(Database& database, uint64_t deal_id, const DealView& view, const NumberedHistory& history) {
  PIECEWORK_ASSIGN(
      Statement update,
      database.prepare(
          "UPDATE deals SET deal_id=coalesce(?, deal_id), allocation_id=?, claim_id=?, sector=?, publish_cid=?, "
          "activation_epoch=?, expiration_epoch=?, state=?, as_of_epoch=?, faulty_since=?, "
          "claim=?, evidence=? WHERE deal=?"));
  update.bind_or_null(1, view.facts.deal_id).bind_or_null(2, view.facts.allocation_id);
  update.bind_or_null(3, view.facts.claim_id).bind_or_null(4, view.facts.sector);
  update.bind_text(5, view.facts.publish_cid).bind_or_null(6, view.facts.activation_epoch);
  update.bind_or_null(7, view.facts.expiration_epoch).bind_text(8, name_of(view.state));
  update.bind_signed(9, view.as_of_epoch).bind_or_null(10, view.faulty_since);
  update.bind_or_null(11, history.id_of(view.claim)).bind_or_null(12, history.id_of(view.evidence));
  return update.bind(13, deal_id).run();
}

// Views point into the history that they were read off, which ends here.
DealView without_pointers(DealView view) {
  view.claim = nullptr;
  view.evidence = nullptr;
  return view;
}

}  // namespace

Status DealBook::reserve(const NewAttempt& attempt, uint64_t attempt_id, const std::string& network) {
  if (attempt.cost_max > attempt.caps.deal) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("a deal of {} attoFIL is more than the policy's cap of {} for one", attempt.cost_max.text(),
                            attempt.caps.deal.text()));
  }
  PIECEWORK_ASSIGN(const Spent before, spent(network, attempt.campaign, attempt.now_s));
  PIECEWORK_ASSIGN(const AttoFil day, add(before.day, attempt.cost_max));
  PIECEWORK_ASSIGN(const AttoFil campaign, add(before.campaign, attempt.cost_max));
  const auto no_room = [&](ErrorCode code, std::string_view what, AttoFil spent_before, AttoFil cap) {
    return fail(code, ErrorSide::kConfig,
                fmt::format("the cap of the {} has no room: {} of {} attoFIL are spent or reserved, this deal may cost "
                            "{}",
                            what, spent_before.text(), cap.text(), attempt.cost_max.text()));
  };
  if (campaign > attempt.caps.campaign) {
    return no_room(ErrorCode::kUnsupported, "campaign", before.campaign, attempt.caps.campaign);
  }
  if (day > attempt.caps.day) return no_room(ErrorCode::kWaiting, "day", before.day, attempt.caps.day);
  PIECEWORK_ASSIGN(Statement add_spend, database_.prepare("INSERT INTO spends VALUES(NULL,?,?,?,?,?,'reserved')"));
  add_spend.bind(1, attempt_id).bind_text(2, network).bind_text(3, attempt.campaign);
  return add_spend.bind_signed(4, day_of(attempt.now_s)).bind_text(5, attempt.cost_max.text()).run();
}

Result<DealBook::Spent> DealBook::spent(std::string_view network, std::string_view campaign, int64_t now_s) {
  PIECEWORK_ASSIGN(Statement rows, database_.prepare("SELECT atto, day FROM spends WHERE network=? AND campaign=? AND "
                                                     "state='reserved'"));
  rows.bind_text(1, network).bind_text(2, campaign);
  Spent spent;
  for (;;) {
    PIECEWORK_ASSIGN(const bool row, rows.step());
    if (!row) return spent;
    PIECEWORK_ASSIGN(const AttoFil amount, parse_atto_fil(rows.column_text(0), "spend"));
    PIECEWORK_ASSIGN(spent.campaign, add(spent.campaign, amount));
    if (rows.column_int64(1) == day_of(now_s)) {
      PIECEWORK_ASSIGN(spent.day, add(spent.day, amount));
    }
  }
}

Result<AttoFil> DealBook::promised(std::string_view network, std::string_view client) {
  PIECEWORK_ASSIGN(Statement rows,
                   database_.prepare("SELECT s.atto FROM spends s JOIN attempts a USING(attempt) LEFT JOIN deals d ON "
                                     "d.attempt=a.attempt WHERE s.network=? AND a.client=? AND s.state='reserved' AND "
                                     "d.evidence IS NULL"));
  rows.bind_text(1, network).bind_text(2, client);
  AttoFil promised;
  for (;;) {
    PIECEWORK_ASSIGN(const bool row, rows.step());
    if (!row) return promised;
    PIECEWORK_ASSIGN(const AttoFil amount, parse_atto_fil(rows.column_text(0), "spend"));
    PIECEWORK_ASSIGN(promised, add(promised, amount));
  }
}

Result<uint64_t> DealBook::add_attempt(const NewAttempt& attempt) {
  return in_transaction([&]() -> Result<uint64_t> {
    PIECEWORK_ASSIGN(const IntentRow intent, this->intent(attempt.intent_id));
    PIECEWORK_ASSIGN(Statement live, database_.prepare("SELECT 1 FROM attempts WHERE intent=? AND state<>'rejected'"));
    PIECEWORK_ASSIGN(const bool is_live, live.bind(1, intent.id).step());
    if (is_live) {
      return fail(ErrorCode::kConflict, ErrorSide::kInternal,
                  fmt::format("intent {} has an attempt that may live: nothing was stored", intent.id));
    }
    PIECEWORK_ASSIGN(Statement add,
                     database_.prepare("INSERT INTO attempts VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
                                       "?,?,'planned')"));
    const AttemptTerms& terms = attempt.terms;
    const PreparedDeal& prepared = attempt.prepared;
    add.bind(1, intent.id).bind_text(2, attempt.protocol).bind_text(3, prepared.client_key);
    add.bind_blob(4, prepared.bytes).bind_text(5, attempt.client).bind_text(6, prepared.proposal_cid.text());
    add.bind_text(7, prepared.onchain_cid.text()).bind_text(8, prepared.signed_proposal_cid.text());
    add.bind_text(9, terms.label).bind(10, terms.is_verified ? 1 : 0).bind_or_null(11, terms.allocation_id);
    add.bind_signed(12, terms.start_epoch).bind_signed(13, terms.end_epoch);
    add.bind_text(14, terms.price_per_epoch.text()).bind_text(15, terms.provider_collateral.text());
    add.bind_text(16, terms.client_collateral.text()).bind_text(17, terms.transfer);
    PIECEWORK_TRY(add.bind_signed(18, attempt.now_s).run());
    const uint64_t id = database_.last_insert_id();
    PIECEWORK_TRY(reserve(attempt, id, intent.network));
    PIECEWORK_TRY(add_observation(Subject::attempt(id), {.at_s = attempt.now_s, .verdict = Verdict::kPrepared}));
    PIECEWORK_TRY(settle(Subject::attempt(id)));
    return id;
  });
}

Status DealBook::add_observation(const Subject& subject, const Observation& seen) {
  PIECEWORK_ASSIGN(Statement add,
                   database_.prepare("INSERT INTO observations VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
                                     "?,?,?,?,?,?)"));
  add.bind_or_null(1, subject.attempt_id).bind_or_null(2, subject.deal_id).bind_signed(3, seen.at_s);
  add.bind_text(4, name_of(seen.source)).bind_text(5, name_of(seen.verdict)).bind(6, seen.is_ours ? 1 : 0);
  add.bind(7, seen.is_finalized ? 1 : 0).bind_signed(8, seen.head_epoch).bind_signed(9, seen.tipset_epoch);
  add.bind_or_null(10, seen.facts.deal_id).bind_or_null(11, seen.facts.allocation_id);
  add.bind_or_null(12, seen.facts.claim_id).bind_or_null(13, seen.facts.sector);
  add.bind_or_null(14, seen.facts.activation_epoch).bind_or_null(15, seen.facts.expiration_epoch);
  add.bind_text(16, seen.facts.publish_cid).bind_text(17, seen.endpoint).bind_text(18, seen.method);
  return add.bind_text(19, seen.tipset).bind_text(20, seen.raw_sha256).bind_text(21, seen.detail).run();
}

Result<uint64_t> DealBook::add_deal(const DealRow& deal) {
  PIECEWORK_ASSIGN(Statement add,
                   database_.prepare("INSERT INTO deals VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?,NULL,NULL,NULL,"
                                     "'',NULL,NULL,?,-1,NULL,NULL,NULL)"));
  add.bind_or_null(1, deal.attempt_id).bind_text(2, deal.network).bind(3, deal.piece_id).bind_text(4, deal.provider);
  add.bind_text(5, deal.client).bind_text(6, name_of(deal.kind)).bind_text(7, deal.label);
  add.bind_signed(8, deal.start_epoch).bind_signed(9, deal.end_epoch).bind_signed(10, deal.renew_before_epochs);
  add.bind_or_null(11, deal.facts.deal_id);
  PIECEWORK_TRY(add.bind_text(12, name_of(deal.state)).run());
  return database_.last_insert_id();
}

Result<DealView> DealBook::settle_attempt(uint64_t attempt_id) {
  PIECEWORK_ASSIGN(Statement find, database_.prepare(fmt::format(
                                       "SELECT {}, {} FROM attempts a JOIN intents i USING(intent) WHERE a.attempt=?",
                                       kAttemptColumns, kIntentColumns)));
  PIECEWORK_ASSIGN(const bool row, find.bind(1, attempt_id).step());
  if (!row) return damaged_book("an observation of an attempt that is not there");
  PIECEWORK_ASSIGN(const AttemptRow attempt, read_attempt(find, 0));
  PIECEWORK_ASSIGN(const IntentRow intent, read_intent(find, kAttemptColumnCount));
  find.reset();
  PIECEWORK_ASSIGN(const NumberedHistory history, read_history(database_, Subject::attempt(attempt_id)));
  DealRules rules{.start_epoch = attempt.terms.start_epoch, .end_epoch = attempt.terms.end_epoch};
  PIECEWORK_ASSIGN(rules.clock, clock(intent.network));
  rules.renew_before_epochs = intent.renew_before_epochs;
  const DealView view = deal_view(history.observations, rules);
  PIECEWORK_ASSIGN(Statement update, database_.prepare("UPDATE attempts SET state=? WHERE attempt=?"));
  PIECEWORK_TRY(update.bind_text(1, name_of(view.attempt)).bind(2, attempt_id).run());
  PIECEWORK_ASSIGN(std::optional<DealRow> deal, find_deal(database_, "attempt", attempt_id));
  if (!deal && view.state != DealState::kNone) {
    deal = DealRow{.attempt_id = attempt_id,
                   .network = intent.network,
                   .piece_id = intent.piece_id,
                   .provider = intent.provider,
                   .client = attempt.client,
                   .kind = kind_of(attempt),
                   .label = attempt.terms.label,
                   .start_epoch = rules.start_epoch,
                   .end_epoch = rules.end_epoch,
                   .renew_before_epochs = rules.renew_before_epochs,
                   .state = view.state};
    PIECEWORK_ASSIGN(deal->id, add_deal(*deal));
  }
  if (deal) PIECEWORK_TRY(update_deal(database_, deal->id, view, history));
  // What was on chain has cost what it cost.
  const bool is_free = is_finally_dead(view.attempt, view.state) && view.evidence == nullptr;
  PIECEWORK_ASSIGN(Statement spend, database_.prepare("UPDATE spends SET state=? WHERE attempt=?"));
  PIECEWORK_TRY(spend.bind_text(1, is_free ? "released" : "reserved").bind(2, attempt_id).run());
  return without_pointers(view);
}

Result<DealView> DealBook::settle_deal(const DealRow& deal) {
  PIECEWORK_ASSIGN(const NumberedHistory history, read_history(database_, Subject::adopted(deal.id)));
  DealRules rules{.start_epoch = deal.start_epoch, .end_epoch = deal.end_epoch};
  PIECEWORK_ASSIGN(rules.clock, clock(deal.network));
  rules.renew_before_epochs = deal.renew_before_epochs;
  const DealView view = deal_view(history.observations, rules);
  PIECEWORK_TRY(update_deal(database_, deal.id, view, history));
  return without_pointers(view);
}

Result<DealView> DealBook::settle(const Subject& subject) {
  PIECEWORK_CHECK(subject.attempt_id.has_value() != subject.deal_id.has_value());
  if (subject.attempt_id) return settle_attempt(*subject.attempt_id);
  PIECEWORK_ASSIGN(const std::optional<DealRow> deal, find_deal(database_, "deal", *subject.deal_id));
  if (!deal) return damaged_book("an observation of a deal that is not there");
  return settle_deal(*deal);
}

Result<DealView> DealBook::observe(const Subject& subject, const Observation& observation) {
  return in_transaction([&]() -> Result<DealView> {
    PIECEWORK_TRY(add_observation(subject, observation));
    return settle(subject);
  });
}

Result<uint64_t> DealBook::adopt(const DealRow& deal) {
  PIECEWORK_CHECK(!deal.attempt_id && deal.facts.deal_id);
  return in_transaction([&]() -> Result<uint64_t> {
    PIECEWORK_ASSIGN(Statement find,
                     database_.prepare("SELECT deal FROM deals WHERE network=? AND kind=? AND deal_id=?"));
    find.bind_text(1, deal.network).bind_text(2, name_of(deal.kind)).bind(3, *deal.facts.deal_id);
    PIECEWORK_ASSIGN(const bool row, find.step());
    if (row) {
      return fail(ErrorCode::kConflict, ErrorSide::kConfig,
                  fmt::format("the book has deal {} of {}", *deal.facts.deal_id, deal.network));
    }
    return add_deal(deal);
  });
}

Result<std::vector<Observation>> DealBook::history(const Subject& subject) {
  PIECEWORK_ASSIGN(NumberedHistory history, read_history(database_, subject));
  return std::move(history.observations);
}

}  // namespace piecework::engine
