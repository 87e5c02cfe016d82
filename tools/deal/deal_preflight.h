// What must hold on chain before a deal is signed (deals.md 6, rule 8): the parties exist, the piece fits, the money or
// the DataCap is there. What a provider would refuse for it, or what would be paid for nothing, is not proposed.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "engine/deal/deal_adapter.h"
#include "tools/deal/chain_choice.h"
#include "tools/deal/deal_session.h"

namespace piecework::tools {

// Thread-compatible. What it is given outlives it.
class DealPreflight {
 public:
  DealPreflight(DealSession& session, ChainChoice& chain) : session_(session), chain_(chain) {}

  // Reads what holds for all deals of this run: the client's id, its balance and DataCap. Errors: kUnavailable (source)
  // where the chain does not say; those of the book.
  Status begin();

  const engine::Address& client() const { return client_; }
  const engine::Address& client_id() const { return client_id_; }

  // What a provider asks for a piece of this size, or why it gets none.
  struct ProviderTerms {
    engine::AttoFil collateral;
    std::string refusal;  // "" where there is none
  };
  // Errors: kUnavailable (source) where the chain does not say; those of the book.
  Result<ProviderTerms> terms_of(const engine::IntentRow& intent, const engine::CataloguePiece& piece);

  // Why `request`, by `protocol`, is not to be signed; "" where nothing speaks against it. Errors: kUnavailable
  // (source) where the chain does not say.
  Result<std::string> refusal_of(const engine::DealRequest& request, engine::DealProtocol protocol);

  // Takes off what was proposed.
  void spend(const engine::DealRequest& request, engine::DealProtocol protocol);

 private:
  Result<ChainAnswer<engine::MinerInfo>> miner_info(const std::string& provider);
  Result<std::string> other_name_of_owner(const engine::IntentRow& intent, const engine::MinerInfo& miner);
  Result<std::string> refusal_of_allocation(const engine::DealRequest& request);

  DealSession& session_;
  ChainChoice& chain_;
  engine::Address client_;
  engine::Address client_id_;            // empty: nobody has sent it anything yet
  engine::AttoFil escrow_;               // what is left of it, less what was proposed and is not on chain
  std::optional<uint64_t> data_cap_;     // bytes that are left; read for policies of verified deals alone
  std::map<std::string, ChainAnswer<engine::MinerInfo>> miners_;
};

}  // namespace piecework::tools
