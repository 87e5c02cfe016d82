// What is noted and intended, and the lease. Attempts and deals: deal_book_states.cc; questions:
// deal_book_questions.cc.
#include "engine/record/deal_book.h"

#include <fmt/format.h>
#include <unistd.h>

#include "engine/record/deal_sql.h"

namespace piecework::engine {
namespace {

constexpr char kLeaseName[] = "deals";

}  // namespace

Result<DealBook> DealBook::open(const std::string& path, int wait_ms) {
  if (::access(path.c_str(), F_OK) != 0) {
    return fail(ErrorCode::kNotFound, ErrorSide::kSource,
                fmt::format("'{}': there is no such catalogue; piecework merge makes one", printable(path)));
  }
  PIECEWORK_ASSIGN(Database database, open_catalogue(path, wait_ms));
  return DealBook(std::move(database));
}

Result<DealBook> DealBook::open_to_read(const std::string& path) {
  PIECEWORK_ASSIGN(Database database, open_catalogue_to_read(path));
  return DealBook(std::move(database));
}

Status DealBook::check_lease() {
  if (holder_.empty()) return {};
  PIECEWORK_ASSIGN(Statement held, database_.prepare("SELECT 1 FROM leases WHERE name=? AND holder=?"));
  PIECEWORK_ASSIGN(const bool is_ours, held.bind_text(1, kLeaseName).bind_text(2, holder_).step());
  if (is_ours) return {};
  return fail(
      ErrorCode::kWaiting, ErrorSide::kDestination,
      "another process has taken over the deals of this catalogue: this one stood still for too long; run again");
}

Status DealBook::take_lease(const std::string& holder, int64_t now_s,
                            const std::function<bool(std::string_view)>& is_gone) {
  holder_.clear();
  PIECEWORK_TRY(in_transaction([&]() -> Status {
    PIECEWORK_ASSIGN(Statement find, database_.prepare("SELECT holder, until FROM leases WHERE name=?"));
    PIECEWORK_ASSIGN(const bool row, find.bind_text(1, kLeaseName).step());
    if (row) {
      const std::string other(find.column_text(0));
      const int64_t until_s = find.column_int64(1);
      if (other != holder && until_s > now_s && !is_gone(other)) {
        return fail(ErrorCode::kWaiting, ErrorSide::kDestination,
                    fmt::format("another process works on the deals of this catalogue ({}), for {} s at most after its "
                                "last step: run again later",
                                printable(other), kDealLeaseSeconds));
      }
    }
    find.reset();
    PIECEWORK_ASSIGN(Statement take, database_.prepare("INSERT OR REPLACE INTO leases VALUES(?,?,?)"));
    return take.bind_text(1, kLeaseName).bind_text(2, holder).bind_signed(3, now_s + kDealLeaseSeconds).run();
  }));
  holder_ = holder;
  return {};
}

Status DealBook::keep_lease(int64_t now_s) {
  return in_transaction([&]() -> Status {
    PIECEWORK_ASSIGN(Statement keep, database_.prepare("UPDATE leases SET until=? WHERE name=? AND holder=?"));
    return keep.bind_signed(1, now_s + kDealLeaseSeconds).bind_text(2, kLeaseName).bind_text(3, holder_).run();
  });
}

Status DealBook::release_lease() {
  if (holder_.empty()) return {};
  PIECEWORK_TRY(in_transaction([&]() -> Status {
    PIECEWORK_ASSIGN(Statement drop, database_.prepare("DELETE FROM leases WHERE name=? AND holder=?"));
    return drop.bind_text(1, kLeaseName).bind_text(2, holder_).run();
  }));
  holder_.clear();
  return {};
}

Status DealBook::note_network(const Network& network) {
  return in_transaction([&]() -> Status {
    PIECEWORK_ASSIGN(Statement find, database_.prepare("SELECT genesis_s FROM networks WHERE network=?"));
    PIECEWORK_ASSIGN(const bool row, find.bind_text(1, network.name).step());
    if (row && find.column_int64(0) != network.clock.genesis_s) {
      return fail(ErrorCode::kUnsupported, ErrorSide::kConfig,
                  fmt::format("this catalogue knows a {} that began at {}, the policy has one that began at {}: they "
                              "are different chains, keep a catalogue for each",
                              network.name, find.column_int64(0), network.clock.genesis_s));
    }
    if (row) return {};
    PIECEWORK_ASSIGN(Statement add, database_.prepare("INSERT INTO networks VALUES(?,?,?)"));
    add.bind_text(1, network.name).bind_signed(2, network.clock.genesis_s);
    return add.bind_signed(3, network.clock.epoch_s).run();
  });
}

Result<uint64_t> DealBook::note_policy(const std::string& name, const std::string& digest, std::string_view text,
                                       int64_t now_s) {
  return in_transaction([&]() -> Result<uint64_t> {
    PIECEWORK_ASSIGN(Statement find, database_.prepare("SELECT policy FROM policies WHERE digest=?"));
    PIECEWORK_ASSIGN(const bool row, find.bind_text(1, digest).step());
    if (row) return find.column_uint64(0);
    PIECEWORK_ASSIGN(Statement add, database_.prepare("INSERT INTO policies VALUES(NULL,?,?,?,?)"));
    PIECEWORK_TRY(add.bind_text(1, name).bind_text(2, digest).bind_text(3, text).bind_signed(4, now_s).run());
    return database_.last_insert_id();
  });
}

Status DealBook::note_provider(const PolicyProvider& provider, int64_t now_s) {
  return in_transaction([&]() -> Status {
    PIECEWORK_ASSIGN(
        Statement note,
        database_.prepare("INSERT INTO providers VALUES(?1,?2,?3,?4,?5,?6) ON CONFLICT(provider) DO UPDATE "
                          "SET owner=?2, region=?3, protocol=?4, endpoint=?5, noted_at=?6"));
    note.bind_text(1, provider.id).bind_text(2, provider.owner).bind_text(3, provider.region);
    note.bind_text(4, name_of(provider.protocol));
    note.bind_text(5, provider.command.empty() ? provider.url : provider.command.front());
    return note.bind_signed(6, now_s).run();
  });
}

Status DealBook::note_wallet(const std::string& address, const std::string& id_address, std::string_view key_kind,
                             const std::string& key_reference) {
  return in_transaction([&]() -> Status {
    PIECEWORK_ASSIGN(Statement note,
                     database_.prepare("INSERT INTO wallets VALUES(?1,?2,?3,?4) ON CONFLICT(address) DO "
                                       "UPDATE SET id_address=coalesce(?2, id_address), key_kind=?3, "
                                       "key_reference=?4"));
    note.bind_text(1, address);
    if (id_address.empty()) {
      note.bind_null(2);
    } else {
      note.bind_text(2, id_address);
    }
    return note.bind_text(3, key_kind).bind_text(4, key_reference).run();
  });
}

Result<std::string> DealBook::id_address_of(const std::string& wallet) {
  PIECEWORK_ASSIGN(Statement find, database_.prepare("SELECT id_address FROM wallets WHERE address=?"));
  PIECEWORK_ASSIGN(const bool row, find.bind_text(1, wallet).step());
  return row ? std::string(find.column_text(0)) : std::string();
}

// One live copy of a piece for each provider and slot, but for the one that is renewed.
Status DealBook::check_room(const IntentRow& intent) {
  PIECEWORK_ASSIGN(const std::vector<CopyView> there, copies(intent.piece_id, intent.network));
  const auto refuse = [&](const CopyView& copy, std::string_view why) {
    return fail(ErrorCode::kConflict, ErrorSide::kConfig,
                fmt::format("no second deal for a piece where the first may live: {} has it in slot {}, generation {} "
                            "({}, {}); {}",
                            copy.provider, copy.slot.value_or(0), copy.generation, name_of(copy.attempt),
                            name_of(copy.state), why));
  };
  for (const CopyView& copy : there) {
    if (copy.slot == intent.slot && copy.generation >= intent.generation)
      return refuse(copy, "that generation is there");
    const bool is_renewed = intent.reason == IntentReason::kRenew && copy.deal && copy.deal == intent.renews;
    if (is_dead(copy) || is_renewed) continue;
    if (copy.slot == intent.slot) return refuse(copy, "its slot is not free");
    if (copy.provider == intent.provider) return refuse(copy, "its provider has one");
  }
  return {};
}

Result<uint64_t> DealBook::add_intent(const IntentRow& intent) {
  return in_transaction([&]() -> Result<uint64_t> {
    PIECEWORK_TRY(check_room(intent));
    PIECEWORK_ASSIGN(Statement add, database_.prepare("INSERT INTO intents VALUES(NULL,?,?,?,?,?,?,?,?,?,?)"));
    add.bind_text(1, intent.network).bind(2, intent.piece_id).bind_text(3, intent.provider).bind(4, intent.slot);
    add.bind(5, intent.generation).bind(6, intent.policy_id).bind_text(7, name_of(intent.reason));
    add.bind_or_null(8, intent.renews).bind_signed(9, intent.renew_before_epochs);
    PIECEWORK_TRY(add.bind_signed(10, intent.created_at_s).run());
    return database_.last_insert_id();
  });
}

Status DealBook::remove_intent(uint64_t intent_id) {
  return in_transaction([&]() -> Status {
    PIECEWORK_ASSIGN(Statement drop,
                     database_.prepare("DELETE FROM intents WHERE intent=?1 AND NOT EXISTS(SELECT 1 FROM "
                                       "attempts WHERE intent=?1)"));
    return drop.bind(1, intent_id).run();
  });
}

}  // namespace piecework::engine
