// What a Lotus-shaped JSON-RPC node answers, as far as deals need it. Source: lotus api_gateway.go and chain/types,
// forest, deals.md 2.1.
//
// Nodes differ in their error codes and share the words, so messages are matched by text. A missing result is null.
// Replies are hostile input: every number is checked, unknown members are left out, and what lacks a member that is
// needed is no answer. Addresses must be of the network that is spoken to.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/deal/address.h"
#include "engine/deal/atto_fil.h"
#include "engine/deal/deal_proposal.h"
#include "engine/deal/observation.h"
#include "io/http_client.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

inline constexpr size_t kRpcReplyBytesMax = size_t{16} << 20;

// ---- The envelope ----

std::string encode_rpc_request(std::string_view method, const nlohmann::json& parameters);

enum class RpcVerdict : uint8_t {
  kResult,    // `result` is what was asked for
  kNull,      // there is none: a null result
  kNotFound,  // the node says in words that a deal or actor is not there
  kNoAnswer,  // no reply, another error, or no JSON-RPC: nothing is known
};
struct RpcReply {
  RpcVerdict verdict = RpcVerdict::kNoAnswer;
  nlohmann::json result;
  std::string message;     // of an error or a failure; escaped, bounded
  std::string raw_sha256;  // hex, of the reply's bytes; "" where there were none
};
RpcReply judge_rpc_reply(const io::HttpOutcome& http);

// Whether an error means that what was asked for is not in the state that was read: "deal 5 not found - ...", "actor
// not found". Not so: "method ... not found", blocks or tipsets that the node does not have.
bool says_not_found(std::string_view message);

// ---- Results; none where they are malformed ----

struct ChainTipset {
  std::vector<std::string> key;  // CIDs as the node names them: at most 64
  Epoch epoch = -1;
  int64_t timestamp_s = 0;  // of its blocks

  // "bafy...,bafy..."
  std::string text() const;
  // The parameter of calls that read at a tipset.
  nlohmann::json parameter() const;
};
std::optional<ChainTipset> parse_tipset(const nlohmann::json& result);

std::optional<Address> parse_address(const nlohmann::json& result, char prefix);

struct MinerInfo {
  Address owner;
  Address worker;
  uint64_t sector_bytes = 0;
  std::vector<std::string> urls;  // of its multiaddresses, those that speak HTTP: "https://host:port"
};
std::optional<MinerInfo> parse_miner_info(const nlohmann::json& result, char prefix);

struct CollateralBounds {
  AttoFil least;
  AttoFil most;
};
std::optional<CollateralBounds> parse_collateral_bounds(const nlohmann::json& result);

struct MarketBalance {
  AttoFil escrow;
  AttoFil locked;
};
std::optional<MarketBalance> parse_market_balance(const nlohmann::json& result);

// Bytes of DataCap, in decimal text.
std::optional<uint64_t> parse_data_cap(const nlohmann::json& result);

struct MarketDeal {
  DealProposal proposal;
  std::optional<uint64_t> sector;  // none: not in a sector
  Epoch sector_start_epoch = -1;   // -1: not activated
  Epoch slash_epoch = -1;          // -1: not slashed
};
std::optional<MarketDeal> parse_market_deal(const nlohmann::json& result, char prefix);

struct Allocation {
  uint64_t client_actor = 0;
  uint64_t provider_actor = 0;
  Cid piece_cid;
  uint64_t padded_bytes = 0;
  Epoch term_min_epochs = 0;
  Epoch term_max_epochs = 0;
  Epoch expiration_epoch = 0;
};
std::optional<Allocation> parse_allocation(const nlohmann::json& result);

struct Claim {
  uint64_t client_actor = 0;
  uint64_t provider_actor = 0;
  Cid piece_cid;
  uint64_t padded_bytes = 0;
  Epoch term_start_epoch = 0;
  Epoch term_max_epochs = 0;
  uint64_t sector = 0;
};
std::optional<Claim> parse_claim(const nlohmann::json& result);

struct SectorInfo {
  uint64_t sector = 0;
  Epoch activation_epoch = 0;
  Epoch expiration_epoch = 0;
};
std::optional<SectorInfo> parse_sector_info(const nlohmann::json& result);

// Sectors of a bit field as Lotus prints it: runs of zeros and ones in turn. None where they are malformed or end past
// 2^48.
std::optional<bool> bit_field_has(const nlohmann::json& result, uint64_t number);

struct SearchedMessage {
  Cid message_cid;  // the one that was executed, which a replacement may have made another
  int64_t exit_code = 0;
  std::vector<uint8_t> return_value;  // CBOR
  Epoch epoch = -1;
  std::vector<std::string> tipset_key;
};
std::optional<SearchedMessage> parse_searched_message(const nlohmann::json& result);

struct ChainMessage {
  Address from;
  Address to;
  uint64_t method = 0;
  std::vector<uint8_t> parameters;  // CBOR
};
std::optional<ChainMessage> parse_chain_message(const nlohmann::json& result, char prefix);

struct SectorEvent {
  std::string type;  // "sector-activated", "sector-updated"
  Address emitter;
  std::optional<uint64_t> sector;
  Epoch epoch = -1;
  bool is_reverted = false;
  std::string message_cid;
};
// Events of actors; those without a type are left out.
std::optional<std::vector<SectorEvent>> parse_sector_events(const nlohmann::json& result, char prefix);

// The filter for events of `provider` about the piece `piece_cid_v1`.
nlohmann::json sector_event_filter(const Address& provider, char prefix, std::string_view type, const Cid& piece_cid_v1,
                                   Epoch from_epoch, Epoch to_epoch);

// Whether what is on chain is what was signed, in every field. `client_id` is the f0 address that the market actor has
// put in the place of the client's.
bool is_same_deal(const DealProposal& on_chain, const DealProposal& ours, const Address& client_id);

}  // namespace piecework::engine
