// Which of a policy's nodes is asked, and at which point of the chain.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "engine/deal/deal_evidence.h"
#include "engine/deal/deal_policy.h"
#include "tools/deal/lotus_node.h"

namespace piecework::tools {

// Thread-compatible. `http` outlives it.
class ChainChoice {
 public:
  // Errors: kInvalidArgument (config) for URLs that must not be spoken to; those of the token's file.
  static Result<ChainChoice> make(const engine::DealPolicy& policy, io::HttpClient& http,
                                  std::function<int64_t()> now_s);

  // Chooses the first node that has a head and a finalized tipset of the policy's network and whose head is fresh;
  // where none is fresh, the one with the newest head. What is asked afterwards is asked of it. Errors: kUnavailable
  // (source) where none answers, kUnsupported (config) where one is of another chain.
  Status choose();

  LotusNode& node() { return *nodes_[chosen_]; }
  const engine::ChainPoint& point() const { return point_; }
  const engine::ChainTipset& finalized() const { return point_.finalized; }
  // Whether the head is that of the clock, within ten minutes.
  bool is_fresh() const { return is_fresh(point_); }

  // A sector as it is now; none where the node cannot tell.
  std::optional<engine::SectorSighting> sector(const engine::Address& provider, uint64_t number);
  // Ids of the deals that a provider published in these epochs, whoever's they are; none where the node cannot tell.
  // Asked once: many deals are looked for among the same ones.
  const std::optional<std::vector<uint64_t>>& published_by(const engine::Address& provider, engine::Epoch from_epoch,
                                                           engine::Epoch to_epoch);
  // The sector that an activation or update with the piece named last in these epochs; none where the node cannot tell.
  struct Activation {
    std::optional<uint64_t> sector;
  };
  std::optional<Activation> activation_of(const engine::Address& provider, const engine::Cid& piece_cid_v1,
                                          engine::Epoch from_epoch, engine::Epoch to_epoch);

 private:
  ChainChoice(const engine::DealPolicy& policy, std::function<int64_t()> now_s)
      : network_(policy.network), now_s_(std::move(now_s)) {}
  Result<engine::ChainPoint> point_of(LotusNode& node);
  std::optional<std::vector<uint64_t>> ask_published_by(const engine::Address& provider, engine::Epoch from_epoch,
                                                        engine::Epoch to_epoch);
  bool is_fresh(const engine::ChainPoint& point) const;

  engine::Network network_;
  std::function<int64_t()> now_s_;
  std::vector<std::unique_ptr<LotusNode>> nodes_;
  std::vector<RpcClient> clients_;  // of the same nodes, for questions that LotusNode does not know
  size_t chosen_ = 0;
  engine::ChainPoint point_;
  // By provider and epochs, as the chosen node told.
  std::map<std::tuple<engine::Address, engine::Epoch, engine::Epoch>, std::optional<std::vector<uint64_t>>> published_;
};

}  // namespace piecework::tools
