#include "tools/deal/deal_preflight.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/codec/piece_cid.h"
#include "engine/deal/placement.h"

namespace piecework::tools {
namespace {

using engine::AttoFil;
using engine::DealProtocol;

AttoFil less(AttoFil amount, AttoFil part) {
  return amount > part ? AttoFil(amount.atto() - part.atto()) : AttoFil();
}

template <class Value>
tl::unexpected<Error> no_answer(const ChainChoice& chain, const ChainAnswer<Value>& answer) {
  return fail(ErrorCode::kUnavailable, ErrorSide::kSource,
              fmt::format("'{}' does not answer {}: {}", printable(chain.point().endpoint), answer.method,
                          answer.message));
}

}  // namespace

Status DealPreflight::begin() {
  const engine::DealPolicy& policy = session_.policy();
  PIECEWORK_ASSIGN(client_, engine::Address::parse(policy.client, policy.network.address_prefix));
  const ChainAnswer<engine::Address> id = chain_.node().lookup_id(client_, chain_.finalized());
  if (id.verdict == ChainVerdict::kNoAnswer) return no_answer(chain_, id);
  if (id.verdict == ChainVerdict::kNotFound) return {};
  client_id_ = id.value;
  PIECEWORK_TRY(session_.book().note_wallet(policy.client, client_id_.text(policy.network.address_prefix),
                                            name_of(policy.signer.kind), policy.signer.reference));
  const ChainAnswer<engine::MarketBalance> balance = chain_.node().market_balance(client_, chain_.finalized());
  if (balance.verdict == ChainVerdict::kNoAnswer) return no_answer(chain_, balance);
  PIECEWORK_ASSIGN(const AttoFil promised, session_.book().promised(session_.network(), policy.client));
  escrow_ = less(less(balance.value.escrow, balance.value.locked), promised);
  if (!policy.verified) return {};
  const ChainAnswer<uint64_t> data_cap = chain_.node().verified_bytes(client_, chain_.finalized());
  if (data_cap.verdict == ChainVerdict::kNoAnswer) return no_answer(chain_, data_cap);
  data_cap_ = data_cap.value;
  return {};
}

// A provider is asked about once in a run.
Result<ChainAnswer<engine::MinerInfo>> DealPreflight::miner_info(const std::string& provider) {
  const auto found = miners_.find(provider);
  if (found != miners_.end()) return found->second;
  PIECEWORK_ASSIGN(const engine::Address address,
                   engine::Address::parse(provider, session_.policy().network.address_prefix));
  return miners_.emplace(provider, chain_.node().miner_info(address, chain_.finalized())).first->second;
}

// Another provider with a copy of the piece, which has the same owner on chain and by the policy another; or "". Owners
// of the policy are what somebody wrote down; the same key on chain is the same owner whatever was written. A copy that
// is only planned is none yet: two of them would keep each other from being made.
Result<std::string> DealPreflight::other_name_of_owner(const engine::IntentRow& intent,
                                                       const engine::MinerInfo& miner) {
  const engine::DealPolicy& policy = session_.policy();
  const engine::PolicyProvider* const own = policy.find_provider(intent.provider);
  if (policy.owners < 2 || own == nullptr) return std::string();
  PIECEWORK_ASSIGN(const std::vector<engine::CopyView> copies,
                   session_.book().copies(intent.piece_id, intent.network));
  for (const engine::CopyView& copy : copies) {
    if (copy.attempt == engine::AttemptState::kPlanned && copy.state == engine::DealState::kNone) continue;
    const engine::PolicyProvider* const other = policy.find_provider(copy.provider);
    if (other == nullptr || other == own || other->owner == own->owner || engine::is_dead(copy)) continue;
    PIECEWORK_ASSIGN(const ChainAnswer<engine::MinerInfo> info, miner_info(copy.provider));
    if (info.verdict == ChainVerdict::kFound && info.value.owner == miner.owner) return copy.provider;
  }
  return std::string();
}

Result<DealPreflight::ProviderTerms> DealPreflight::terms_of(const engine::IntentRow& intent,
                                                             const engine::CataloguePiece& piece) {
  ProviderTerms terms;
  PIECEWORK_ASSIGN(const ChainAnswer<engine::MinerInfo> miner, miner_info(intent.provider));
  if (miner.verdict == ChainVerdict::kNotFound) {
    terms.refusal = fmt::format("there is no provider {} on {}", intent.provider, intent.network);
    return terms;
  }
  if (miner.verdict == ChainVerdict::kNoAnswer) return no_answer(chain_, miner);
  const ChainAnswer<engine::CollateralBounds> bounds =
      chain_.node().collateral_bounds(piece.padded_bytes, session_.policy().verified, chain_.finalized());
  if (bounds.verdict != ChainVerdict::kFound) return no_answer(chain_, bounds);
  if (miner.value.sector_bytes < piece.padded_bytes) {
    terms.refusal =
        fmt::format("its sectors hold {} bytes, the piece has {}", miner.value.sector_bytes, piece.padded_bytes);
    return terms;
  }
  PIECEWORK_ASSIGN(const std::string other, other_name_of_owner(intent, miner.value));
  if (!other.empty()) {
    terms.refusal = fmt::format("on chain it has the owner of {}, which has a copy; the policy calls them different",
                                other);
    return terms;
  }
  // A fifth above the least, which moves with the network, as other clients do it.
  PIECEWORK_ASSIGN(terms.collateral, engine::scale_up(bounds.value.least, 12, 10));
  terms.collateral = std::min(terms.collateral, bounds.value.most);
  return terms;
}

// The allocation has to be this piece's with this provider, for terms that the deal keeps: else no sector can claim it.
// Read at the head, since it may have been made just now; what comes of it is read where it is final.
Result<std::string> DealPreflight::refusal_of_allocation(const engine::DealRequest& request) {
  const uint64_t id = *request.allocation_id;
  const ChainAnswer<engine::Allocation> answer = chain_.node().allocation(client_id_, id, engine::ChainTipset{});
  if (answer.verdict == ChainVerdict::kNoAnswer) return no_answer(chain_, answer);
  if (answer.verdict == ChainVerdict::kNotFound) return fmt::format("the client has no allocation {}", id);
  const engine::Allocation& there = answer.value;
  const engine::Epoch duration_epochs = request.end_epoch - request.start_epoch;
  PIECEWORK_ASSIGN(const engine::Cid piece_cid, engine::parse_cid(engine::piece_cid_v1_text(request.piece_root)));
  const auto differs = [id](std::string_view what) { return fmt::format("allocation {} is for {}", id, what); };
  if (there.piece_cid != piece_cid || there.padded_bytes != request.padded_bytes) return differs("another piece");
  if (there.provider_actor != request.provider.actor_id()) return differs("another provider");
  if (duration_epochs < there.term_min_epochs || duration_epochs > there.term_max_epochs) {
    return differs(fmt::format("{} to {} epochs, the deal is for {}", there.term_min_epochs, there.term_max_epochs,
                               duration_epochs));
  }
  if (there.expiration_epoch < request.start_epoch) {
    return fmt::format("allocation {} expires at epoch {}, before the deal starts at {}", id, there.expiration_epoch,
                       request.start_epoch);
  }
  return std::string();
}

Result<std::string> DealPreflight::refusal_of(const engine::DealRequest& request, DealProtocol protocol) {
  if (protocol == DealProtocol::kMk20) {
    if (!request.is_verified) return std::string();
    if (!request.allocation_id) return std::string("a verified deal by mk20 needs --allocation");
    if (client_id_.empty()) return std::string("the client has no account on chain, so no allocation");
    return refusal_of_allocation(request);
  }
  if (client_id_.empty()) {
    return fmt::format("the client has no account on chain at epoch {}: send it some FIL first",
                       chain_.finalized().epoch);
  }
  PIECEWORK_ASSIGN(const AttoFil cost, engine::add(request.price.total, request.client_collateral));
  if (cost > escrow_) {
    return fmt::format("the client's escrow has {} attoFIL left, the deal costs {}", escrow_.text(), cost.text());
  }
  if (request.is_verified && data_cap_.value_or(0) < request.padded_bytes) {
    return fmt::format("the client has DataCap for {} bytes left, a verified deal takes {}", data_cap_.value_or(0),
                       request.padded_bytes);
  }
  return std::string();
}

void DealPreflight::spend(const engine::DealRequest& request, DealProtocol protocol) {
  if (protocol == DealProtocol::kMk20) return;
  escrow_ = less(less(escrow_, request.price.total), request.client_collateral);
  if (request.is_verified && data_cap_) *data_cap_ -= std::min(*data_cap_, request.padded_bytes);
}

}  // namespace piecework::tools
