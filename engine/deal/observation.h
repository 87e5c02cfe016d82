// What somebody said about a deal, and when: the only thing that states are made of.
//
// Three kinds of source, of different worth. The driver knows what it did itself. A provider makes claims. The chain
// gives evidence, and only at a finalized tipset: what a head says may be undone. Observations are never changed;
// attempt_state.h and deal_state.h read a state off their history. Ids are those of the chain.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace piecework::engine {

using Epoch = int64_t;  // of 30 seconds; the chain's own type, negative where it means "never"

enum class ObservationSource : uint8_t { kDriver, kProvider, kChain };

enum class Verdict : uint8_t {
  // The driver, about an attempt.
  kPrepared,   // signed and stored; not a byte has left
  kWithdrawn,  // given up before the first byte was sent
  kSending,    // from here on the provider may have it
  kNotSent,    // no connection came about: not a byte of this sending has left
  kAccepted,   // the answer was an acceptance
  kRejected,   // the answer was a refusal; as a provider's word: one that was told by other ways
  kUnknown,    // no answer, or one that does not tell: timeout, reset, 408, 425, 429, 5xx, garbage
  kDataSent,   // the provider has the piece's bytes
  // A provider, about a deal.
  kClaimsKnown,      // it has the proposal
  kClaimsAbsent,     // it knows of no such proposal
  kClaimsFailed,     // it has given up
  kClaimsData,       // it has the bytes
  kClaimsPublished,  // it says that the deal is on chain
  kClaimsActive,     // it says that the piece is sealed
  // The chain.
  kOnChain,     // the deal, or the allocation, is there and no sector holds it yet
  kActive,      // a live sector holds it
  kFaulty,      // its sector failed its proof
  kTerminated,  // slashed, or its sector is gone
  kNotFound,    // not there
  kForeign,     // what is there under the id that was looked for is not ours
  kUnclear,     // the node cannot tell
};

// How records name them: "accepted", "claims_active", "not_found"; and back, none for other text.
std::string_view name_of(Verdict verdict);
std::string_view name_of(ObservationSource source);
std::optional<Verdict> parse_verdict(std::string_view name);
std::optional<ObservationSource> parse_observation_source(std::string_view name);

// Numbers that the chain or a provider gave with its answer.
struct DealFacts {
  std::optional<uint64_t> deal_id;
  std::optional<uint64_t> allocation_id;
  std::optional<uint64_t> claim_id;
  std::optional<uint64_t> sector;
  std::optional<Epoch> activation_epoch;
  std::optional<Epoch> expiration_epoch;  // of the sector
  std::string publish_cid;                // of the message; "" where unknown

  friend bool operator==(const DealFacts&, const DealFacts&) = default;
};

struct Observation {
  int64_t at_s = 0;  // the observer's clock, seconds since 1970
  ObservationSource source = ObservationSource::kDriver;
  Verdict verdict = Verdict::kUnclear;
  // Of the chain: every field of what is there was compared and is ours.
  bool is_ours = false;
  bool is_finalized = false;  // read at a finalized tipset
  Epoch head_epoch = -1;      // the node's head when it was asked
  Epoch tipset_epoch = -1;    // of the tipset that was read
  DealFacts facts;
  // For people and for proof of what was seen.
  std::string endpoint;
  std::string method;
  std::string tipset;      // its key, as the node names it
  std::string raw_sha256;  // hex; of the answer's bytes
  std::string detail;      // untrusted text, cut to a bounded length
};

// In the order in which they were made.
using History = std::span<const Observation>;

// When epochs are. Source: lotus build parameters.
struct ChainClock {
  int64_t genesis_s = 0;
  int64_t epoch_s = 30;

  int64_t time_of(Epoch epoch) const { return genesis_s + epoch * epoch_s; }
  Epoch epoch_at(int64_t time_s) const { return (time_s - genesis_s) / epoch_s; }
};

}  // namespace piecework::engine
