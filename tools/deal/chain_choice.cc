#include "tools/deal/chain_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace piecework::tools {
namespace {

using engine::ChainPoint;
using engine::Epoch;

constexpr int64_t kHeadAgeMaxSeconds = 600;
constexpr Epoch kEventEpochsMax = 2'000;  // nodes refuse ranges of more than a day

}  // namespace

Result<ChainChoice> ChainChoice::make(const engine::DealPolicy& policy, io::HttpClient& http,
                                      std::function<int64_t()> now_s) {
  std::string token;
  if (!policy.chain_token_file.empty()) {
    PIECEWORK_ASSIGN(token, read_token_file(policy.chain_token_file));
  }
  ChainChoice choice(policy, std::move(now_s));
  for (const std::string& endpoint : policy.chain_endpoints) {
    PIECEWORK_TRY(io::check_url(endpoint));
    choice.nodes_.push_back(std::make_unique<LotusNode>(endpoint, token, policy.network.address_prefix, http));
    choice.clients_.emplace_back(endpoint, token, http);
  }
  return choice;
}

bool ChainChoice::is_fresh(const ChainPoint& point) const {
  return std::abs(network_.clock.time_of(point.head_epoch) - now_s_()) < kHeadAgeMaxSeconds;
}

Result<ChainPoint> ChainChoice::point_of(LotusNode& node) {
  const auto no_answer = [&node](const auto& answer) {
    return fail(ErrorCode::kUnavailable, ErrorSide::kSource,
                fmt::format("'{}' does not answer {}: {}", printable(node.endpoint()), answer.method, answer.message));
  };
  const auto other_chain = [&](std::string_view why) {
    return fail(
        ErrorCode::kUnsupported, ErrorSide::kConfig,
        fmt::format("'{}' is a node of another chain than {}: {}", printable(node.endpoint()), network_.name, why));
  };
  if (!network_.node_name.empty()) {
    const ChainAnswer<std::string> name = node.network_name();
    if (name.verdict != ChainVerdict::kFound) return no_answer(name);
    if (name.value != network_.node_name) return other_chain(fmt::format("it calls it '{}'", printable(name.value)));
  }
  ChainAnswer<ChainPosition> position = node.position();
  if (position.verdict != ChainVerdict::kFound) return no_answer(position);
  const engine::ChainTipset& head = position.value.head;
  // Epochs are counted from the genesis that the policy names.
  const int64_t expected_s = network_.clock.time_of(head.epoch);
  if (head.timestamp_s != expected_s) {
    return other_chain(fmt::format("epoch {} was at {} s, expected {} s", head.epoch, head.timestamp_s, expected_s));
  }
  return ChainPoint{node.endpoint(), now_s_(), head.epoch, std::move(position.value.tipset)};
}

Status ChainChoice::choose() {
  std::optional<Error> failure;
  bool has_any = false;
  published_.clear();
  for (size_t i = 0; i < nodes_.size(); ++i) {
    Result<ChainPoint> point = point_of(*nodes_[i]);
    if (!point) {
      // A node of another chain is a mistake in the policy, whatever the others say.
      if (point.error().code == ErrorCode::kUnsupported) return tl::unexpected<Error>(point.error());
      failure = point.error();
      continue;
    }
    const bool is_enough = is_fresh(*point);
    if (is_enough || !has_any || point->head_epoch > point_.head_epoch) {
      point_ = std::move(*point);
      chosen_ = i;
      has_any = true;
    }
    if (is_enough) break;
  }
  if (has_any || !failure) return {};
  return tl::unexpected<Error>(*failure);
}

std::optional<engine::SectorSighting> ChainChoice::sector(const engine::Address& provider, uint64_t number) {
  const ChainAnswer<engine::SectorInfo> info = node().sector(provider, number, finalized());
  if (info.verdict == ChainVerdict::kNoAnswer) return std::nullopt;
  engine::SectorSighting sighting;
  if (info.verdict == ChainVerdict::kNotFound) return sighting;
  sighting.sector = info.value;
  // Gateways do not answer this: then nobody says that the sector is faulty.
  const ChainAnswer<bool> faulty = node().is_faulty(provider, number, finalized());
  sighting.is_faulty = faulty.verdict == ChainVerdict::kFound && faulty.value;
  return sighting;
}

const std::optional<std::vector<uint64_t>>& ChainChoice::published_by(const engine::Address& provider, Epoch from_epoch,
                                                                      Epoch to_epoch) {
  const std::tuple key(provider, from_epoch, to_epoch);
  const auto found = published_.find(key);
  if (found != published_.end()) return found->second;
  return published_.emplace(key, ask_published_by(provider, from_epoch, to_epoch)).first->second;
}

std::optional<std::vector<uint64_t>> ChainChoice::ask_published_by(const engine::Address& provider, Epoch from_epoch,
                                                                   Epoch to_epoch) {
  std::vector<uint64_t> ids;
  for (Epoch from = from_epoch; from <= to_epoch; from += kEventEpochsMax) {
    const Epoch to = std::min(to_epoch, from + kEventEpochsMax - 1);
    const engine::RpcReply reply = clients_[chosen_].call(
        "Filecoin.GetActorEventsRaw",
        nlohmann::json::array({engine::published_event_filter(provider, network_.address_prefix, from, to)}));
    if (reply.verdict == engine::RpcVerdict::kNull) continue;  // Go's empty list
    if (reply.verdict != engine::RpcVerdict::kResult) return std::nullopt;
    const std::optional<std::vector<uint64_t>> found = engine::parse_published_ids(reply.result);
    if (!found) return std::nullopt;
    ids.insert(ids.end(), found->begin(), found->end());
  }
  return ids;
}

std::optional<ChainChoice::Activation> ChainChoice::activation_of(const engine::Address& provider,
                                                                  const engine::Cid& piece_cid_v1, Epoch from_epoch,
                                                                  Epoch to_epoch) {
  Activation activation;
  for (Epoch from = from_epoch; from <= to_epoch; from += kEventEpochsMax) {
    const Epoch to = std::min(to_epoch, from + kEventEpochsMax - 1);
    for (const char* type : {"sector-activated", "sector-updated"}) {
      const ChainAnswer<std::vector<engine::SectorEvent>> events =
          node().sector_events(provider, type, piece_cid_v1, from, to);
      if (events.verdict == ChainVerdict::kNoAnswer) return std::nullopt;
      for (const engine::SectorEvent& event : events.value) {
        if (event.sector) activation.sector = event.sector;
      }
    }
  }
  return activation;
}

}  // namespace piecework::tools
