#include "tools/deal/lotus_node.h"

#include <fmt/format.h>

namespace piecework::tools {
namespace {

using engine::ChainTipset;
using nlohmann::json;

// Carries over what a failed answer says into an answer of another kind.
template <class Value, class Other>
ChainAnswer<Value> without_value(const ChainAnswer<Other>& other) {
  return {other.verdict, {}, other.method, other.raw_sha256, other.message};
}

std::optional<std::string> text_of(const json& result) {
  if (!result.is_string()) return std::nullopt;
  return result.get<std::string>();
}

}  // namespace

template <class Value, class Parse>
ChainAnswer<Value> LotusNode::ask(std::string_view method, const json& parameters, Parse parse) {
  engine::RpcReply reply = rpc_.call(method, parameters);
  ChainAnswer<Value> answer{
      ChainVerdict::kNoAnswer, {}, std::string(method), std::move(reply.raw_sha256), std::move(reply.message)};
  switch (reply.verdict) {
    case engine::RpcVerdict::kNull:
    case engine::RpcVerdict::kNotFound:
      answer.verdict = ChainVerdict::kNotFound;
      break;
    case engine::RpcVerdict::kNoAnswer:
      break;
    case engine::RpcVerdict::kResult: {
      std::optional<Value> value = parse(reply.result);
      if (value) {
        answer.verdict = ChainVerdict::kFound;
        answer.value = std::move(*value);
      } else {
        answer.message = "a result that is not what was asked for";
      }
      break;
    }
  }
  return answer;
}

ChainAnswer<std::string> LotusNode::network_name() {
  return ask<std::string>("Filecoin.StateNetworkName", json::array(), text_of);
}

ChainAnswer<ChainPosition> LotusNode::position() {
  ChainAnswer<ChainTipset> head = ask<ChainTipset>("Filecoin.ChainHead", json::array(), engine::parse_tipset);
  if (head.verdict != ChainVerdict::kFound) return without_value<ChainPosition>(head);
  ChainAnswer<ChainTipset> finalized =
      ask<ChainTipset>("Filecoin.ChainGetFinalizedTipSet", json::array(), engine::parse_tipset);
  ChainAnswer<ChainPosition> answer = without_value<ChainPosition>(finalized);
  if (finalized.verdict != ChainVerdict::kFound) return answer;
  if (finalized.value.epoch > head.value.epoch) {
    // Two nodes behind one address, one of which lags.
    answer.verdict = ChainVerdict::kNoAnswer;
    answer.message =
        fmt::format("the finalized tipset {} is ahead of the head {}", finalized.value.epoch, head.value.epoch);
    return answer;
  }
  answer.value = {std::move(finalized.value), std::move(head.value)};
  return answer;
}

ChainAnswer<engine::Address> LotusNode::lookup_id(const engine::Address& address, const ChainTipset& at) {
  return ask<engine::Address>("Filecoin.StateLookupID", json::array({address.text(prefix_), at.parameter()}),
                              [this](const json& result) -> std::optional<engine::Address> {
                                std::optional<engine::Address> id = engine::parse_address(result, prefix_);
                                if (!id || !id->actor_id()) return std::nullopt;
                                return id;
                              });
}

ChainAnswer<engine::MinerInfo> LotusNode::miner_info(const engine::Address& provider, const ChainTipset& at) {
  return ask<engine::MinerInfo>("Filecoin.StateMinerInfo", json::array({provider.text(prefix_), at.parameter()}),
                                [this](const json& result) { return engine::parse_miner_info(result, prefix_); });
}

ChainAnswer<engine::CollateralBounds> LotusNode::collateral_bounds(uint64_t padded_bytes, bool is_verified,
                                                                   const ChainTipset& at) {
  return ask<engine::CollateralBounds>("Filecoin.StateDealProviderCollateralBounds",
                                       json::array({padded_bytes, is_verified, at.parameter()}),
                                       engine::parse_collateral_bounds);
}

ChainAnswer<engine::MarketBalance> LotusNode::market_balance(const engine::Address& client, const ChainTipset& at) {
  return ask<engine::MarketBalance>("Filecoin.StateMarketBalance", json::array({client.text(prefix_), at.parameter()}),
                                    engine::parse_market_balance);
}

ChainAnswer<uint64_t> LotusNode::verified_bytes(const engine::Address& client, const ChainTipset& at) {
  return ask<uint64_t>("Filecoin.StateVerifiedClientStatus", json::array({client.text(prefix_), at.parameter()}),
                       engine::parse_data_cap);
}

ChainAnswer<engine::MarketDeal> LotusNode::market_deal(uint64_t deal_id, const ChainTipset& at) {
  return ask<engine::MarketDeal>("Filecoin.StateMarketStorageDeal", json::array({deal_id, at.parameter()}),
                                 [this](const json& result) { return engine::parse_market_deal(result, prefix_); });
}

ChainAnswer<engine::Allocation> LotusNode::allocation(const engine::Address& client_id, uint64_t allocation_id,
                                                      const ChainTipset& at) {
  return ask<engine::Allocation>("Filecoin.StateGetAllocation",
                                 json::array({client_id.text(prefix_), allocation_id, at.parameter()}),
                                 engine::parse_allocation);
}

ChainAnswer<engine::Claim> LotusNode::claim(const engine::Address& provider, uint64_t claim_id, const ChainTipset& at) {
  return ask<engine::Claim>("Filecoin.StateGetClaim", json::array({provider.text(prefix_), claim_id, at.parameter()}),
                            engine::parse_claim);
}

ChainAnswer<engine::SectorInfo> LotusNode::sector(const engine::Address& provider, uint64_t sector,
                                                  const ChainTipset& at) {
  ChainAnswer<engine::SectorInfo> answer =
      ask<engine::SectorInfo>("Filecoin.StateSectorGetInfo",
                              json::array({provider.text(prefix_), sector, at.parameter()}), engine::parse_sector_info);
  if (answer.verdict == ChainVerdict::kFound && answer.value.sector != sector) {
    answer.verdict = ChainVerdict::kNoAnswer;
    answer.message = fmt::format("it answers about sector {}", answer.value.sector);
  }
  return answer;
}

ChainAnswer<bool> LotusNode::is_faulty(const engine::Address& provider, uint64_t sector, const ChainTipset& at) {
  ChainAnswer<bool> answer =
      ask<bool>("Filecoin.StateMinerFaults", json::array({provider.text(prefix_), at.parameter()}),
                [sector](const json& result) { return engine::bit_field_has(result, sector); });
  // An actor that is not there has no faults either, but that is no news about a sector.
  if (answer.verdict == ChainVerdict::kNotFound) answer.verdict = ChainVerdict::kNoAnswer;
  return answer;
}

ChainAnswer<engine::SearchedMessage> LotusNode::search_message(const engine::Cid& message_cid,
                                                               engine::Epoch lookback_epochs, const ChainTipset& at) {
  // The last parameter: a replacement of the message, with another price of gas, counts as the message.
  return ask<engine::SearchedMessage>("Filecoin.StateSearchMsg",
                                      json::array({at.parameter(), {{"/", message_cid.text()}}, lookback_epochs, true}),
                                      engine::parse_searched_message);
}

ChainAnswer<engine::ChainMessage> LotusNode::message(const engine::Cid& message_cid) {
  return ask<engine::ChainMessage>("Filecoin.ChainGetMessage", json::array({{{"/", message_cid.text()}}}),
                                   [this](const json& result) { return engine::parse_chain_message(result, prefix_); });
}

ChainAnswer<uint64_t> LotusNode::published_deal(const engine::Cid& publish_cid, const engine::Cid& signed_proposal_cid,
                                                engine::Epoch lookback_epochs, const ChainTipset& at) {
  const ChainAnswer<engine::SearchedMessage> searched = search_message(publish_cid, lookback_epochs, at);
  ChainAnswer<uint64_t> answer = without_value<uint64_t>(searched);
  if (searched.verdict != ChainVerdict::kFound) return answer;
  const auto not_found = [&answer](std::string why) {
    answer.verdict = ChainVerdict::kNotFound;
    answer.message = std::move(why);
    return answer;
  };
  if (searched.value.exit_code != 0) {
    return not_found(fmt::format("the message failed with exit code {}", searched.value.exit_code));
  }
  const ChainAnswer<engine::ChainMessage> published = message(searched.value.message_cid);
  if (published.verdict != ChainVerdict::kFound) {
    // A node that has the receipt has the message: if it does not give it, that says nothing about the deal.
    answer = without_value<uint64_t>(published);
    answer.verdict = ChainVerdict::kNoAnswer;
    return answer;
  }
  if (published.value.to.actor_id() != engine::kMarketActorId ||
      published.value.method != engine::kPublishStorageDealsMethod) {
    return not_found("that message publishes no deals");
  }
  const Result<engine::PublishResult> found =
      engine::find_published(published.value.parameters, searched.value.return_value, signed_proposal_cid);
  if (!found) {
    answer.verdict = ChainVerdict::kNoAnswer;
    answer.message = found.error().message;
  } else if (found->verdict != engine::PublishVerdict::kPublished) {
    return not_found(found->verdict == engine::PublishVerdict::kNotTaken ? "the market actor did not take the proposal"
                                                                         : "the proposal is not among that message's");
  } else {
    answer.value = found->deal_id;
  }
  return answer;
}

ChainAnswer<std::vector<engine::SectorEvent>> LotusNode::sector_events(const engine::Address& provider,
                                                                       std::string_view type,
                                                                       const engine::Cid& piece_cid_v1,
                                                                       engine::Epoch from_epoch,
                                                                       engine::Epoch to_epoch) {
  const json filter = engine::sector_event_filter(provider, prefix_, type, piece_cid_v1, from_epoch, to_epoch);
  ChainAnswer<std::vector<engine::SectorEvent>> answer = ask<std::vector<engine::SectorEvent>>(
      "Filecoin.GetActorEventsRaw", json::array({filter}),
      [this](const json& result) { return engine::parse_sector_events(result, prefix_); });
  // Go's empty list is null.
  if (answer.verdict == ChainVerdict::kNotFound) answer.verdict = ChainVerdict::kFound;
  // The filter is the node's business; what it lets through is looked at again.
  std::erase_if(answer.value, [&](const engine::SectorEvent& event) {
    return event.is_reverted || event.emitter != provider || event.type != type || event.epoch < from_epoch ||
           event.epoch > to_epoch;
  });
  return answer;
}

}  // namespace piecework::tools
