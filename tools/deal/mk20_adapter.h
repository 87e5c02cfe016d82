// Deals with Curio's MK20 over HTTPS: data by URL, by upload in chunks, or offline.
#pragma once

#include "engine/deal/deal_adapter.h"
#include "engine/deal/deal_signer.h"
#include "engine/deal/mk20_wire.h"
#include "io/http_client.h"
#include "tools/deal/adapter_options.h"

namespace piecework::tools {

// Thread-compatible. `http` and `signer` outlive it. An upload holds one chunk in memory.
class Mk20Adapter final : public engine::DealAdapter {
 public:
  // `chunk_bytes`, a power of two, is what uploads begin with; a provider that wants larger chunks gets them.
  Mk20Adapter(AdapterOptions options, io::HttpClient& http, engine::DealSigner& signer,
              uint64_t chunk_bytes = engine::kMk20ChunkBytesMin)
      : options_(std::move(options)), http_(http), signer_(signer), chunk_bytes_(chunk_bytes) {}

  std::string_view protocol() const override { return "mk20"; }
  Result<engine::PreparedDeal> prepare(const engine::DealRequest& request) override;
  engine::SubmitOutcome submit(const engine::PreparedDeal& deal, bool is_repeat) override;
  engine::StatusClaim status(const engine::PreparedDeal& deal) override;
  Result<engine::DataOutcome> send_data(const engine::PreparedDeal& deal, const engine::PieceBytes& piece) override;

 private:
  struct Call {
    io::HttpMethod method = io::HttpMethod::kGet;
    std::string path;          // behind /market/mk20
    std::string content_type;  // "": no body
    ByteSpan body;
    int64_t timeout_ms = 0;
  };
  enum class Step : uint8_t { kGoOn, kEnd };

  // Sends a call with its Authorization header, once more where the minute that the header is for has passed meanwhile.
  io::HttpOutcome exchange(const Call& call);
  io::HttpOutcome exchange_once(const Call& call, int64_t unix_time_s);

  // The parts of an upload. Each fills `outcome` where it ends the call.
  Result<Step> upload_round(const engine::PreparedDeal& deal, const engine::PieceBytes& piece,
                            engine::DataOutcome& outcome);
  Step start_upload(const engine::PreparedDeal& deal, uint64_t payload_bytes, engine::DataOutcome& outcome);
  Result<Step> send_chunks(const engine::PreparedDeal& deal, const engine::PieceBytes& piece,
                           const engine::Mk20Upload& upload, engine::DataOutcome& outcome);
  Step finalize(const engine::PreparedDeal& deal, engine::DataOutcome& outcome);
  // Whether the provider has left the stage of uploading, by its own word.
  Step settle_by_status(const engine::PreparedDeal& deal, engine::DataOutcome& outcome);

  AdapterOptions options_;
  io::HttpClient& http_;
  engine::DealSigner& signer_;
  uint64_t chunk_bytes_;
};

}  // namespace piecework::tools
