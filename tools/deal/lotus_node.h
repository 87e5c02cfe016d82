// Reading the chain from one Lotus-shaped node (Lotus, a gateway, Forest). Source: deals.md 2.1.
//
// Each call asks one question, at a tipset where it is given one, and says whether the node found it, says that it is
// not there, or gave no answer. What "not there" means is not decided here: it depends on what is known of the deal,
// and a node that lags behind says it too. Several nodes are several objects.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/deal/chain_replies.h"
#include "engine/deal/publish_message.h"
#include "tools/deal/rpc_client.h"

namespace piecework::tools {

enum class ChainVerdict : uint8_t { kFound, kNotFound, kNoAnswer };

template <class Value>
struct ChainAnswer {
  ChainVerdict verdict = ChainVerdict::kNoAnswer;
  Value value{};           // of kFound
  std::string method;      // what was asked, for the record
  std::string raw_sha256;  // of the reply
  std::string message;     // the node's words, or why there is no answer; escaped, bounded
};

// Where a read is made: the tipset, and the head of the node at that time.
struct ChainPosition {
  engine::ChainTipset tipset;  // finalized
  engine::ChainTipset head;
};

// Thread-compatible. `http` outlives it.
class LotusNode {
 public:
  // `prefix`: of the network's addresses. REQUIRES: io::check_url(endpoint) holds.
  LotusNode(std::string endpoint, std::string token, char prefix, io::HttpClient& http, int64_t timeout_ms = 60'000)
      : rpc_(std::move(endpoint), std::move(token), http, timeout_ms), prefix_(prefix) {}

  const std::string& endpoint() const { return rpc_.endpoint(); }

  // "mainnet", "calibrationnet".
  ChainAnswer<std::string> network_name();
  // The head and the finalized tipset behind it. No answer where the finalized one is ahead of the head.
  ChainAnswer<ChainPosition> position();

  // The id address of an f1 address.
  ChainAnswer<engine::Address> lookup_id(const engine::Address& address, const engine::ChainTipset& at);
  ChainAnswer<engine::MinerInfo> miner_info(const engine::Address& provider, const engine::ChainTipset& at);
  ChainAnswer<engine::CollateralBounds> collateral_bounds(uint64_t padded_bytes, bool is_verified,
                                                          const engine::ChainTipset& at);
  ChainAnswer<engine::MarketBalance> market_balance(const engine::Address& client, const engine::ChainTipset& at);
  // DataCap of a client, in bytes; not found: none.
  ChainAnswer<uint64_t> verified_bytes(const engine::Address& client, const engine::ChainTipset& at);

  ChainAnswer<engine::MarketDeal> market_deal(uint64_t deal_id, const engine::ChainTipset& at);
  ChainAnswer<engine::Allocation> allocation(const engine::Address& client_id, uint64_t allocation_id,
                                             const engine::ChainTipset& at);
  ChainAnswer<engine::Claim> claim(const engine::Address& provider, uint64_t claim_id, const engine::ChainTipset& at);
  ChainAnswer<engine::SectorInfo> sector(const engine::Address& provider, uint64_t sector,
                                         const engine::ChainTipset& at);
  // Whether the sector is among those that failed their last proof. Gateways do not answer this.
  ChainAnswer<bool> is_faulty(const engine::Address& provider, uint64_t sector, const engine::ChainTipset& at);

  // The message, executed at or before `at` and at most `lookback_epochs` before it.
  ChainAnswer<engine::SearchedMessage> search_message(const engine::Cid& message_cid, engine::Epoch lookback_epochs,
                                                      const engine::ChainTipset& at);
  ChainAnswer<engine::ChainMessage> message(const engine::Cid& message_cid);
  // Which deal id a proposal got, from the message that published it and its receipt: no word of a provider is needed
  // but where to look. Not found: it is not among that message's deals, or the message has not been executed.
  ChainAnswer<uint64_t> published_deal(const engine::Cid& publish_cid, const engine::Cid& signed_proposal_cid,
                                       engine::Epoch lookback_epochs, const engine::ChainTipset& at);

  // Activations and updates of sectors that hold the piece. `type`: "sector-activated" or "sector-updated". A node that
  // keeps no events answers with none, or not at all.
  ChainAnswer<std::vector<engine::SectorEvent>> sector_events(const engine::Address& provider, std::string_view type,
                                                              const engine::Cid& piece_cid_v1, engine::Epoch from_epoch,
                                                              engine::Epoch to_epoch);

 private:
  template <class Value, class Parse>
  ChainAnswer<Value> ask(std::string_view method, const nlohmann::json& parameters, Parse parse);

  RpcClient rpc_;
  char prefix_;
};

}  // namespace piecework::tools
