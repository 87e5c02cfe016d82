// Questions to the book of deals.
#include <fmt/format.h>

#include "engine/record/deal_book.h"
#include "engine/record/deal_sql.h"

namespace piecework::engine {
namespace {

// Whether the last that is known of attempt `a` is that it was withdrawn before it was sent: its intent is as it was.
constexpr char kIsWithdrawn[] =
    "(SELECT o.verdict FROM observations o WHERE o.attempt=a.attempt ORDER BY o.observation DESC LIMIT 1)='withdrawn'";

// Of an intent its newest attempt counts.
constexpr char kCopies[] =
    "SELECT i.provider, i.slot, i.generation, d.deal, i.renews, CASE WHEN a.attempt IS NULL OR {} THEN 'planned' ELSE "
    "a.state END, coalesce(d.state, 'none'), d.as_of_epoch - d.faulty_since, i.piece FROM intents i LEFT JOIN attempts "
    "a ON a.attempt=(SELECT max(attempt) FROM attempts WHERE intent=i.intent) LEFT JOIN deals d ON d.attempt=a.attempt "
    "WHERE i.network=?1 AND (?2 IS NULL OR i.piece=?2) "
    "UNION ALL "
    "SELECT d.provider, NULL, 0, d.deal, NULL, 'accepted', d.state, d.as_of_epoch - d.faulty_since, d.piece "
    "FROM deals d WHERE d.attempt IS NULL AND d.network=?1 AND (?2 IS NULL OR d.piece=?2)";

Result<CopyView> read_copy(const Statement& row) {
  CopyView copy;
  copy.provider = row.column_text(0);
  copy.slot = row.column_optional(1);
  copy.generation = row.column_uint64(2);
  copy.deal = row.column_optional(3);
  copy.renews = row.column_optional(4);
  const std::optional<AttemptState> attempt = parse_attempt_state(row.column_text(5));
  const std::optional<DealState> state = parse_deal_state(row.column_text(6));
  if (!attempt || !state) return damaged_book("a state that this program does not know");
  copy.attempt = *attempt;
  copy.state = *state;
  copy.faulty_epochs = row.column_is_null(7) ? 0 : row.column_int64(7);
  return copy;
}

Result<OpenAttempt> read_open_attempt(const Statement& row, int first) {
  OpenAttempt open;
  PIECEWORK_ASSIGN(open.attempt, read_attempt(row, first));
  PIECEWORK_ASSIGN(open.intent, read_intent(row, first + kAttemptColumnCount));
  const std::optional<DealState> state =
      parse_deal_state(row.column_text(first + kAttemptColumnCount + kIntentColumnCount));
  if (!state) return damaged_book("a state that this program does not know");
  open.deal_state = *state;
  return open;
}

// Every row that a statement gives, read by `read`.
template <class Row>
Result<std::vector<Row>> read_all(Statement& rows, Result<Row> (*read)(const Statement&, int)) {
  std::vector<Row> found;
  for (;;) {
    PIECEWORK_ASSIGN(const bool more, rows.step());
    if (!more) return found;
    PIECEWORK_ASSIGN(Row row, read(rows, 0));
    found.push_back(std::move(row));
  }
}

}  // namespace

Result<std::vector<uint64_t>> DealBook::pieces() {
  PIECEWORK_ASSIGN(Statement rows, database_.prepare("SELECT piece FROM pieces ORDER BY cid_v1"));
  std::vector<uint64_t> found;
  for (;;) {
    PIECEWORK_ASSIGN(const bool row, rows.step());
    if (!row) return found;
    found.push_back(rows.column_uint64(0));
  }
}

Result<std::vector<CopyView>> DealBook::copies(uint64_t piece_id, std::string_view network) {
  PIECEWORK_ASSIGN(Statement rows, database_.prepare(fmt::format(kCopies, kIsWithdrawn)));
  rows.bind_text(1, network).bind(2, piece_id);
  std::vector<CopyView> found;
  for (;;) {
    PIECEWORK_ASSIGN(const bool row, rows.step());
    if (!row) return found;
    PIECEWORK_ASSIGN(CopyView copy, read_copy(rows));
    found.push_back(std::move(copy));
  }
}

Result<ProviderLoad> DealBook::load(std::string_view network) {
  PIECEWORK_ASSIGN(Statement rows, database_.prepare(fmt::format(kCopies, kIsWithdrawn)));
  rows.bind_text(1, network).bind_null(2);
  ProviderLoad load;
  for (;;) {
    PIECEWORK_ASSIGN(const bool row, rows.step());
    if (!row) return load;
    PIECEWORK_ASSIGN(const CopyView copy, read_copy(rows));
    if (!is_dead(copy)) ++load[copy.provider];
  }
}

Result<std::vector<IntentRow>> DealBook::open_intents(std::string_view network, std::string_view campaign) {
  PIECEWORK_ASSIGN(Statement rows, database_.prepare(fmt::format(
                                       "SELECT {} FROM intents i JOIN policies p USING(policy) WHERE i.network=? AND "
                                       "p.name=? AND NOT EXISTS(SELECT 1 FROM attempts a WHERE a.intent=i.intent AND "
                                       "(a.state<>'rejected' OR NOT {})) ORDER BY i.intent",
                                       kIntentColumns, kIsWithdrawn)));
  return read_all(rows.bind_text(1, network).bind_text(2, campaign), read_intent);
}

Result<std::string> DealBook::campaign_of(uint64_t policy_id) {
  PIECEWORK_ASSIGN(Statement find, database_.prepare("SELECT name FROM policies WHERE policy=?"));
  PIECEWORK_ASSIGN(const bool row, find.bind(1, policy_id).step());
  if (!row) return damaged_book("no such policy");
  return std::string(find.column_text(0));
}

Result<IntentRow> DealBook::intent(uint64_t id) {
  PIECEWORK_ASSIGN(Statement find,
                   database_.prepare(fmt::format("SELECT {} FROM intents i WHERE i.intent=?", kIntentColumns)));
  PIECEWORK_ASSIGN(const bool row, find.bind(1, id).step());
  if (!row) return damaged_book("no such intent");
  return read_intent(find, 0);
}

namespace {

constexpr char kAttempts[] =
    "SELECT {}, {}, coalesce(d.state, 'none') FROM attempts a JOIN intents i USING(intent) LEFT JOIN deals d "
    "USING(attempt) WHERE {} ORDER BY a.attempt";

}  // namespace

Result<std::vector<OpenAttempt>> DealBook::open_attempts(std::string_view network) {
  PIECEWORK_ASSIGN(Statement rows, database_.prepare(fmt::format(
                                       kAttempts, kAttemptColumns, kIntentColumns,
                                       "i.network=? AND a.state<>'rejected' AND coalesce(d.state, 'none') NOT IN "
                                       "('expired', 'terminated', 'proposal_expired')")));
  return read_all(rows.bind_text(1, network), read_open_attempt);
}

Result<std::optional<uint64_t>> DealBook::find_attempt(std::string_view client_key) {
  PIECEWORK_ASSIGN(Statement find, database_.prepare("SELECT attempt FROM attempts WHERE client_key=?"));
  PIECEWORK_ASSIGN(const bool row, find.bind_text(1, client_key).step());
  if (!row) return std::nullopt;
  return find.column_uint64(0);
}

Result<std::vector<OpenAttempt>> DealBook::attempts_of(uint64_t piece_id) {
  PIECEWORK_ASSIGN(Statement rows,
                   database_.prepare(fmt::format(kAttempts, kAttemptColumns, kIntentColumns, "i.piece=?")));
  return read_all(rows.bind(1, piece_id), read_open_attempt);
}

Result<std::vector<DealRow>> DealBook::deals(std::string_view network) {
  PIECEWORK_ASSIGN(Statement rows, database_.prepare(fmt::format(
                                       "SELECT {} FROM deals d WHERE d.network=? ORDER BY d.deal", kDealColumns)));
  return read_all(rows.bind_text(1, network), read_deal);
}

Result<bool> DealBook::is_taken(std::string_view network, uint64_t deal_id, const Subject& by_other_than) {
  PIECEWORK_ASSIGN(Statement find, database_.prepare("SELECT 1 FROM deals WHERE network=? AND deal_id=? AND NOT "
                                                     "(attempt IS NOT NULL AND attempt=?) AND deal<>?"));
  find.bind_text(1, network).bind(2, deal_id);
  find.bind(3, by_other_than.attempt_id.value_or(0)).bind(4, by_other_than.deal_id.value_or(0));
  return find.step();
}

Result<ChainClock> DealBook::clock(std::string_view network) {
  PIECEWORK_ASSIGN(Statement find, database_.prepare("SELECT genesis_s, epoch_s FROM networks WHERE network=?"));
  PIECEWORK_ASSIGN(const bool row, find.bind_text(1, network).step());
  if (!row) return damaged_book("a network that it does not describe");
  return ChainClock{.genesis_s = find.column_int64(0), .epoch_s = find.column_int64(1)};
}

}  // namespace piecework::engine
