// One way to bring a deal to a provider: the interface that all protocols share, and what goes through it.
//
// A deal is prepared once and sent any number of times:
//
//   prepare   checks, chooses the deal's key, signs, encodes. Nothing leaves the machine. The caller stores the result
//             durably before it goes on.
//   submit    sends the prepared bytes, the same ones each time, under the same key.
//   status    asks the provider what it has under the key: a claim, never evidence.
//   send_data moves the piece, where the protocol has the client do that. Goes on where an earlier call stopped.
//
// What an answer to submit means is a rule (deals.md 6): accepted and rejected only where the provider said so in its
// own words; a timeout, a reset, 408, 429, 5xx and anything that is not understood are unknown, since the deal may have
// been taken behind them. A refusal of a repetition is unknown too: it may be a refusal of the repetition alone.
// Unknown is closed by status or by the chain, never by another answer to submit that is not an acceptance.
//
// Everything a provider says is untrusted: replies are bounded, parsed strictly, and their text arrives here cut to
// kProviderTextBytesMax and with control bytes escaped.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/deal/address.h"
#include "engine/deal/atto_fil.h"
#include "engine/deal/deal_price.h"
#include "engine/deal/observation.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

inline constexpr size_t kProviderTextBytesMax = 1024;

// How the piece comes to the provider.
enum class DataTransfer : uint8_t {
  kOffline,  // by other means; the provider imports a file
  kPull,     // the provider fetches it from `urls`
  kPush,     // the client uploads it with send_data (MK20 alone)
};

struct PieceUrl {
  std::string url;                             // https, or http on loopback
  std::map<std::string, std::string> headers;  // such as a token of the provider's own
};

// Everything that decides a deal's bytes, but for its key.
struct DealRequest {
  // The piece.
  Digest32 piece_root{};  // commP
  uint64_t payload_bytes = 0;
  uint64_t padded_bytes = 0;
  Cid payload_root;  // the CAR's root
  // The parties.
  Address client;     // f1
  Address client_id;  // f0 of the same account; empty where it is not known: then there is no on-chain CID
  Address provider;   // f0
  char address_prefix = 't';
  // The terms.
  Epoch start_epoch = 0;
  Epoch end_epoch = 0;
  DealPrice price;  // as planned; what is signed must agree with all of it
  AttoFil provider_collateral;
  AttoFil client_collateral;
  bool is_verified = false;
  std::optional<uint64_t> allocation_id;  // of a verified MK20 deal
  std::string label;                      // "": the text of payload_root
  // Data.
  DataTransfer transfer = DataTransfer::kOffline;
  std::vector<PieceUrl> urls;
  bool announce_to_ipni = true;
  bool keep_unsealed_copy = true;
};

// What is stored before anything is sent, and all that the other calls need.
struct PreparedDeal {
  std::string client_key;      // UUID, ULID or, offline, the signed proposal's CID
  std::vector<uint8_t> bytes;  // what submit sends
  // Of the f05 proposal in `bytes`; empty for MK20, which has none.
  Cid proposal_cid;         // as signed
  Cid onchain_cid;          // as the market actor stores it; also empty where the client's id is not known
  Cid signed_proposal_cid;  // what Boost and Curio call the proposal's CID

  friend bool operator==(const PreparedDeal&, const PreparedDeal&) = default;
};

enum class SubmitVerdict : uint8_t { kAccepted, kRejected, kUnknown };

struct SubmitOutcome {
  SubmitVerdict verdict = SubmitVerdict::kUnknown;
  std::string reason;         // for people; escaped, bounded
  int http_status = 0;        // 0 where there was none
  bool was_sent = true;       // false: no connection came about, so nobody has seen these bytes this time
  bool is_busy = false;       // the provider asks for patience (429, 503)
  int64_t retry_after_s = 0;  // and for how long, where it says
};

enum class ProviderView : uint8_t {
  kHasDeal,   // it says that it has this very deal
  kHasNot,    // it says that it has no such deal
  kFailed,    // it has it, and has given up on it
  kNoAnswer,  // nothing that tells
};

struct StatusClaim {
  ProviderView view = ProviderView::kNoAnswer;
  std::string stage;         // the provider's word: "sealing", "Processing"; escaped, bounded
  std::string message;       // likewise
  bool awaits_data = false;  // it waits for send_data
  // Never 0: what a provider gives before it knows.
  std::optional<uint64_t> deal_id;
  std::string publish_cid;  // of the message that publishes the deal; "" where unknown
  std::string raw_sha256;   // hex, of the reply's body; "" where there was none
  int http_status = 0;
};

// The bytes of a piece, to upload. `read` fills its target from `offset_bytes` of the CAR; it is asked for ranges
// inside payload_bytes only and may be called for the same range again.
struct PieceBytes {
  uint64_t payload_bytes = 0;
  std::function<Status(MutableByteSpan target, uint64_t offset_bytes)> read;
  // Called with the payload bytes that the provider has so far; what it fails with ends the upload. May be empty.
  std::function<Status(uint64_t done_bytes)> on_progress;
};

enum class DataVerdict : uint8_t {
  kDone,        // the provider has all of it and has said so
  kRejected,    // it will not take it
  kIncomplete,  // try again: it goes on where it stopped
};

struct DataOutcome {
  DataVerdict verdict = DataVerdict::kIncomplete;
  std::string reason;
  uint64_t sent_bytes = 0;  // in this call
  bool is_silent = false;   // no answer came
  bool is_busy = false;     // the provider asks for patience (429, 503)
  int64_t retry_after_s = 0;
};

// Thread-compatible; one object speaks with one provider. No call changes what is stored anywhere.
class DealAdapter {
 public:
  virtual ~DealAdapter() = default;

  // "mk12", "mk20", "offline", "command".
  virtual std::string_view protocol() const = 0;

  // REQUIRES: nothing; `request` is checked. Errors: kInvalidArgument (config) for terms that must not be signed or
  // that the protocol does not have, kConflict (internal) where prices disagree, those of the signer.
  virtual Result<PreparedDeal> prepare(const DealRequest& request) = 0;

  // `is_repeat`: these bytes may have been sent before. REQUIRES: `deal` is what prepare() returned, byte for byte.
  virtual SubmitOutcome submit(const PreparedDeal& deal, bool is_repeat) = 0;

  virtual StatusClaim status(const PreparedDeal& deal) = 0;

  // Errors: kUnsupported (config) where the protocol has no upload; those of `piece.read` and `piece.on_progress`. All
  // else is in the outcome.
  virtual Result<DataOutcome> send_data(const PreparedDeal& deal, const PieceBytes& piece) = 0;
};

}  // namespace piecework::engine
