// The book of deals: what was decided, sent and seen, in the catalogue's tables (deal_schema.h).
//
// Every call that changes something is one transaction that is on disk when it returns. States of attempts and deals
// are worked out anew from their whole history with each observation, by deal_state.h, so that nobody can set one.
//
// One process at a time works on deals: it takes a lease, which each of its transactions checks. A process whose lease
// ran out and was taken over can write nothing more.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/record/catalogue_schema.h"
#include "engine/record/deal_rows.h"

namespace piecework::engine {

// More than one step may take: a provider's program has ten minutes.
inline constexpr int64_t kDealLeaseSeconds = 900;

// Thread-compatible. Errors of all calls: those of the database; kWaiting (destination) where the lease is another's.
class DealBook {
 public:
  // Opens a catalogue for writing and brings it up to date. Errors: as open_catalogue; kNotFound where there is none.
  static Result<DealBook> open(const std::string& path, int wait_ms);
  // To read: calls that change something fail. Errors: as open_catalogue_to_read.
  static Result<DealBook> open_to_read(const std::string& path);

  // Takes the lease for `holder`, where nobody has it, it ran out, or `is_gone` says so of whoever has it.
  Status take_lease(const std::string& holder, int64_t now_s, const std::function<bool(std::string_view)>& is_gone);
  // Prolongs it; to be called before anything that takes long.
  Status keep_lease(int64_t now_s);
  Status release_lease();

  // What policies name. A policy is known by the digest of its text.
  Status note_network(const Network& network);
  Result<uint64_t> note_policy(const std::string& name, const std::string& digest, std::string_view text,
                               int64_t now_s);
  Status note_provider(const PolicyProvider& provider, int64_t now_s);
  // `id_address`: "" where it is not known (yet); it is never forgotten.
  Status note_wallet(const std::string& address, const std::string& id_address, std::string_view key_kind,
                     const std::string& key_reference);
  Result<std::string> id_address_of(const std::string& wallet);

  // Stores an intent. Errors: kConflict (config) where that slot has this generation, or the one before may still live
  // and is not what this one renews.
  Result<uint64_t> add_intent(const IntentRow& intent);
  // Takes an intent away that nobody attempted; one that was attempted stays.
  Status remove_intent(uint64_t intent_id);

  // Stores an attempt as prepared and reserves what it may cost, both or neither. Errors: kWaiting (config) where the
  // day's cap has no room; kUnsupported (config) where the campaign's has none; kInvalidArgument (config) where the
  // deal itself costs more than its cap; kConflict (internal) where the intent has a live attempt.
  Result<uint64_t> add_attempt(const NewAttempt& attempt);
  // Adds an observation and works the states out anew; what it reserved is released where nothing can come of it.
  Result<DealView> observe(const Subject& subject, const Observation& observation);
  // A deal that was made without this book. Errors: kConflict (config) where the book has it.
  Result<uint64_t> adopt(const DealRow& deal);

  // Questions.
  Result<std::vector<uint64_t>> pieces();
  Result<std::vector<CopyView>> copies(uint64_t piece_id, std::string_view network);
  // Live copies of all pieces by provider.
  Result<ProviderLoad> load(std::string_view network);
  // Intents of the policies with this name without a live attempt, of which none was refused.
  Result<std::vector<IntentRow>> open_intents(std::string_view network, std::string_view campaign);
  // The name of a policy.
  Result<std::string> campaign_of(uint64_t policy_id);
  Result<IntentRow> intent(uint64_t id);
  // Attempts that are in none of the states in which nothing can change any more.
  Result<std::vector<OpenAttempt>> open_attempts(std::string_view network);
  // The attempt with this key; none where there is none.
  Result<std::optional<uint64_t>> find_attempt(std::string_view client_key);
  // All attempts at a piece, on any network, oldest first.
  Result<std::vector<OpenAttempt>> attempts_of(uint64_t piece_id);
  Result<std::vector<DealRow>> deals(std::string_view network);
  Result<std::vector<Observation>> history(const Subject& subject);
  // Whether another deal of this book has this id on chain.
  Result<bool> is_taken(std::string_view network, uint64_t deal_id, const Subject& by_other_than);
  struct Spent {
    AttoFil day;
    AttoFil campaign;
  };
  Result<Spent> spent(std::string_view network, std::string_view campaign, int64_t now_s);
  // What a client's proposals may still take from its escrow, that the chain does not show as deals yet.
  Result<AttoFil> promised(std::string_view network, std::string_view client);
  Result<ChainClock> clock(std::string_view network);

  Database& database() { return database_; }

 private:
  explicit DealBook(Database database) : database_(std::move(database)) {}

  // Runs `work` in a transaction that holds the lease. What `work` fails with undoes all of it.
  template <class Work>
  auto in_transaction(Work work) -> decltype(work());
  Status check_lease();

  Status check_room(const IntentRow& intent);
  Status reserve(const NewAttempt& attempt, uint64_t attempt_id, const std::string& network);
  Status add_observation(const Subject& subject, const Observation& observation);
  Result<DealView> settle(const Subject& subject);
  Result<DealView> settle_attempt(uint64_t attempt_id);
  Result<DealView> settle_deal(const DealRow& deal);
  Result<uint64_t> add_deal(const DealRow& deal);

  Database database_;
  std::string holder_;  // "" without a lease
};

template <class Work>
auto DealBook::in_transaction(Work work) -> decltype(work()) {
  PIECEWORK_TRY(database_.execute("BEGIN IMMEDIATE"));
  auto outcome = [&]() -> decltype(work()) {
    PIECEWORK_TRY(check_lease());
    return work();
  }();
  const Status ended = database_.execute(outcome ? "COMMIT" : "ROLLBACK");
  if (ended || !outcome) return outcome;
  // What could not be committed is undone; SQLite has done so itself where it could not even keep the transaction.
  static_cast<void>(database_.execute("ROLLBACK"));
  return tl::unexpected<Error>(ended.error());
}

}  // namespace piecework::engine
