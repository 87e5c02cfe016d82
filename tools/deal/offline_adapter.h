// Deals without a network: a document that somebody carries to the provider, or feeds to another tool.
#pragma once

#include <string>

#include "engine/deal/deal_adapter.h"
#include "engine/deal/deal_signer.h"

namespace piecework::tools {

// Writes <directory>/<key>.deal.json. What became of it nobody can ask: submit says unknown, and the outcome is told by
// hand or seen on chain. Thread-compatible. `signer` outlives it.
class OfflineAdapter final : public engine::DealAdapter {
 public:
  OfflineAdapter(std::string directory, engine::DealSigner& signer)
      : directory_(std::move(directory)), signer_(signer) {}

  std::string_view protocol() const override { return "offline"; }
  Result<engine::PreparedDeal> prepare(const engine::DealRequest& request) override;
  engine::SubmitOutcome submit(const engine::PreparedDeal& deal, bool is_repeat) override;
  engine::StatusClaim status(const engine::PreparedDeal& deal) override;
  Result<engine::DataOutcome> send_data(const engine::PreparedDeal& deal, const engine::PieceBytes& piece) override;

 private:
  std::string directory_;
  engine::DealSigner& signer_;
};

}  // namespace piecework::tools
