// Deals with Curio's MK12 over HTTPS: the messages of Boost, without libp2p.
#pragma once

#include "engine/deal/deal_adapter.h"
#include "engine/deal/deal_signer.h"
#include "engine/deal/mk12_wire.h"
#include "io/http_client.h"
#include "tools/deal/adapter_options.h"

namespace piecework::tools {

// Thread-compatible. `http` and `signer` outlive it.
class Mk12Adapter final : public engine::DealAdapter {
 public:
  Mk12Adapter(AdapterOptions options, io::HttpClient& http, engine::DealSigner& signer)
      : options_(std::move(options)), http_(http), signer_(signer) {}

  std::string_view protocol() const override { return "mk12"; }
  Result<engine::PreparedDeal> prepare(const engine::DealRequest& request) override;
  engine::SubmitOutcome submit(const engine::PreparedDeal& deal, bool is_repeat) override;
  engine::StatusClaim status(const engine::PreparedDeal& deal) override;
  Result<engine::DataOutcome> send_data(const engine::PreparedDeal& deal, const engine::PieceBytes& piece) override;

  // The provider's price list. Errors: kUnavailable (source).
  Result<engine::Mk12Ask> ask(const engine::Address& provider);

 private:
  io::HttpOutcome exchange(io::HttpMethod method, std::string_view path, ByteSpan body, int64_t timeout_ms);

  AdapterOptions options_;
  io::HttpClient& http_;
  engine::DealSigner& signer_;
};

}  // namespace piecework::tools
