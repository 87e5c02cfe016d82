// Rows of the book of deals, as its readers and writers hand them around. Tables: deal_schema.h, engine/FORMATS.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/deal/atto_fil.h"
#include "engine/deal/deal_adapter.h"
#include "engine/deal/deal_policy.h"
#include "engine/deal/deal_state.h"
#include "engine/deal/observation.h"
#include "engine/deal/placement.h"

namespace piecework::engine {

// How a deal stands on chain: its kind there, by the protocol that proposes it.
enum class DealKind : uint8_t { kF05, kDdo, kDdoVerified, kPdp, kAggregate };
std::string_view name_of(DealKind kind);
std::optional<DealKind> parse_deal_kind(std::string_view name);

struct IntentRow {
  uint64_t id = 0;
  std::string network;
  uint64_t piece_id = 0;
  std::string provider;
  uint64_t slot = 0;
  uint64_t generation = 0;
  uint64_t policy_id = 0;
  IntentReason reason = IntentReason::kNew;
  std::optional<uint64_t> renews;  // a deal
  Epoch renew_before_epochs = 0;
  int64_t created_at_s = 0;
};

// What a proposal says, beside piece and parties.
struct AttemptTerms {
  std::string label;
  bool is_verified = false;
  std::optional<uint64_t> allocation_id;
  Epoch start_epoch = 0;
  Epoch end_epoch = 0;
  AttoFil price_per_epoch;
  AttoFil provider_collateral;
  AttoFil client_collateral;
  std::string transfer;  // "offline", "pull" or "push"
};

struct AttemptRow {
  uint64_t id = 0;
  uint64_t intent_id = 0;
  std::string protocol;
  std::string client;
  PreparedDeal prepared;
  AttemptTerms terms;
  int64_t prepared_at_s = 0;
  AttemptState state = AttemptState::kPlanned;
};

// A deal that a provider has taken, or one that was adopted.
struct DealRow {
  uint64_t id = 0;
  std::optional<uint64_t> attempt_id;
  std::string network;
  uint64_t piece_id = 0;
  std::string provider;
  std::string client;
  DealKind kind = DealKind::kF05;
  std::string label;
  Epoch start_epoch = 0;
  Epoch end_epoch = 0;
  Epoch renew_before_epochs = 0;
  DealFacts facts;  // evidence
  DealState state = DealState::kNone;
  Epoch as_of_epoch = -1;
  std::optional<Epoch> faulty_since;
};

// An attempt with what it is about.
struct OpenAttempt {
  AttemptRow attempt;
  IntentRow intent;
  DealState deal_state = DealState::kNone;
};

// Whom an observation is about: an attempt and what became of it, or a deal that was adopted.
struct Subject {
  std::optional<uint64_t> attempt_id;
  std::optional<uint64_t> deal_id;  // the book's number

  static Subject attempt(uint64_t id) { return {.attempt_id = id}; }
  static Subject adopted(uint64_t id) { return {.deal_id = id}; }
};

// An attempt before it is in the book, and what it may cost.
struct NewAttempt {
  uint64_t intent_id = 0;
  std::string protocol;
  std::string client;
  PreparedDeal prepared;
  AttemptTerms terms;
  AttoFil cost_max;      // over the whole duration, collateral of the client included
  std::string campaign;  // the policy's name
  PolicyCaps caps;
  int64_t now_s = 0;
};

}  // namespace piecework::engine
