// Uploads of pieces to MK20 providers, in chunks; declared in mk20_adapter.h.
//
// The provider says which chunks it misses, so an upload that was cut off goes on with those. Its reply does not say
// how long a chunk is, but their number does: chunks are powers of two, and all but the last are whole.
#include <fmt/format.h>

#include <bit>

#include "engine/deal/deal_request.h"
#include "kernels/base/units.h"
#include "tools/deal/mk20_adapter.h"

namespace piecework::tools {
namespace {

constexpr int kOk = 200;
constexpr int kBadRequest = 400;
constexpr int kNotFound = 404;
constexpr int kConflict = 409;          // a chunk that is there already
constexpr int kUploadNotStarted = 425;  // of GET /uploads/<id>
constexpr int kTooManyRequests = 429;
constexpr int kUnavailable = 503;
constexpr int kRoundsMax = 4;  // of asking what is missing and sending it

int status_of(const io::HttpOutcome& http) { return http.reply ? http.reply->status : 0; }

// Ends an upload for now: what was asked for, and what came back.
void give_up(engine::DataOutcome& outcome, std::string_view what, const io::HttpOutcome& http) {
  outcome.verdict = engine::DataVerdict::kIncomplete;
  const int status = status_of(http);
  outcome.is_silent = !http.reply;
  outcome.is_busy = status == kTooManyRequests || status == kUnavailable;
  outcome.retry_after_s = http.reply ? http.reply->retry_after_s : 0;
  const std::string answer = http.reply ? fmt::format("HTTP {}: {}", status, as_text(http.reply->body)) : http.failure;
  outcome.reason = engine::provider_text(fmt::format("{}: {}", what, answer));
}

// The length of whole chunks of an upload that has `chunk_count` of them; 0 where there is none.
uint64_t chunk_bytes_of(uint64_t payload_bytes, uint64_t chunk_count) {
  if (chunk_count == 1) return payload_bytes <= engine::kMk20ChunkBytesMax ? payload_bytes : 0;
  for (uint64_t chunk_bytes = 1; chunk_bytes <= engine::kMk20ChunkBytesMax; chunk_bytes *= 2) {
    if (div_ceil(payload_bytes, chunk_bytes) == chunk_count) return chunk_bytes;
  }
  return 0;
}

}  // namespace

Result<engine::DataOutcome> Mk20Adapter::send_data(const engine::PreparedDeal& deal, const engine::PieceBytes& piece) {
  engine::DataOutcome outcome;
  for (int round = 0; round < kRoundsMax; ++round) {
    PIECEWORK_ASSIGN(const Step step, upload_round(deal, piece, outcome));
    if (step == Step::kEnd) return outcome;
  }
  outcome.reason = "the provider keeps asking for chunks that it was sent";
  return outcome;
}

Result<Mk20Adapter::Step> Mk20Adapter::upload_round(const engine::PreparedDeal& deal, const engine::PieceBytes& piece,
                                                    engine::DataOutcome& outcome) {
  const io::HttpOutcome http =
      exchange({io::HttpMethod::kGet, "/uploads/" + deal.client_key, "", {}, options_.query_timeout_ms});
  switch (status_of(http)) {
    case kUploadNotStarted:
      return start_upload(deal, piece.payload_bytes, outcome);
    case kNotFound:
      return settle_by_status(deal, outcome);
    case kOk:
      break;
    default:
      give_up(outcome, "asking what is missing", http);
      return Step::kEnd;
  }
  const std::optional<engine::Mk20Upload> upload = engine::decode_mk20_upload(http.reply->body);
  if (!upload) {
    give_up(outcome, "asking what is missing, an answer that is none", http);
    return Step::kEnd;
  }
  PIECEWORK_ASSIGN(const Step step, send_chunks(deal, piece, *upload, outcome));
  if (step == Step::kEnd) return Step::kEnd;
  return finalize(deal, outcome);
}

Mk20Adapter::Step Mk20Adapter::start_upload(const engine::PreparedDeal& deal, uint64_t payload_bytes,
                                            engine::DataOutcome& outcome) {
  while (true) {
    const std::string body = engine::encode_mk20_upload_start(payload_bytes, chunk_bytes_);
    const io::HttpOutcome http = exchange({io::HttpMethod::kPost, "/uploads/" + deal.client_key, "application/json",
                                           as_bytes(body), options_.query_timeout_ms});
    const int status = status_of(http);
    // Not found and conflict: it was begun before, by a request whose answer got lost.
    if (status == kOk || status == kNotFound || status == kConflict) return Step::kGoOn;
    if (status != kBadRequest || chunk_bytes_ >= engine::kMk20ChunkBytesMax) {
      give_up(outcome, "beginning the upload", http);
      return Step::kEnd;
    }
    chunk_bytes_ *= 2;  // the provider sets the least size, and does not say which
  }
}

Result<Mk20Adapter::Step> Mk20Adapter::send_chunks(const engine::PreparedDeal& deal, const engine::PieceBytes& piece,
                                                   const engine::Mk20Upload& upload, engine::DataOutcome& outcome) {
  const uint64_t chunk_bytes = chunk_bytes_of(piece.payload_bytes, upload.chunk_count);
  if (chunk_bytes == 0) {
    outcome.verdict = engine::DataVerdict::kRejected;
    outcome.reason = fmt::format("the provider expects {} chunks, which {} bytes cannot be cut into",
                                 upload.chunk_count, piece.payload_bytes);
    return Step::kEnd;
  }
  std::vector<uint8_t> chunk;
  uint64_t done_count = upload.chunk_count - upload.missing.size();
  for (const uint64_t number : upload.missing) {
    const uint64_t offset_bytes = (number - 1) * chunk_bytes;
    chunk.resize(static_cast<size_t>(std::min(chunk_bytes, piece.payload_bytes - offset_bytes)));
    PIECEWORK_TRY(piece.read(chunk, offset_bytes));
    const io::HttpOutcome http = exchange({io::HttpMethod::kPut, fmt::format("/uploads/{}/{}", deal.client_key, number),
                                           "application/octet-stream", chunk, options_.upload_timeout_ms});
    if (status_of(http) != kOk && status_of(http) != kConflict) {
      give_up(outcome, fmt::format("sending chunk {}", number), http);
      return Step::kEnd;
    }
    if (status_of(http) == kOk) outcome.sent_bytes += chunk.size();
    ++done_count;
    if (!piece.on_progress) continue;
    PIECEWORK_TRY(piece.on_progress(std::min(done_count * chunk_bytes, piece.payload_bytes)));
  }
  return Step::kGoOn;
}

Mk20Adapter::Step Mk20Adapter::finalize(const engine::PreparedDeal& deal, engine::DataOutcome& outcome) {
  const io::HttpOutcome http =
      exchange({io::HttpMethod::kPost, "/uploads/finalize/" + deal.client_key, "", {}, options_.submit_timeout_ms});
  const int status = status_of(http);
  if (status == kOk) {
    outcome.verdict = engine::DataVerdict::kDone;
    return Step::kEnd;
  }
  const bool is_refusal = status >= 400 && status < 500 && status != 408 && status != 425 && status != kTooManyRequests;
  if (!is_refusal) {
    if (settle_by_status(deal, outcome) == Step::kEnd && outcome.verdict == engine::DataVerdict::kDone)
      return Step::kEnd;
    give_up(outcome, "finishing the upload", http);
    return Step::kEnd;
  }
  // "Not finished" is answered with the same code as any other refusal; only what is missing tells them apart.
  const io::HttpOutcome look =
      exchange({io::HttpMethod::kGet, "/uploads/" + deal.client_key, "", {}, options_.query_timeout_ms});
  const std::optional<engine::Mk20Upload> upload =
      status_of(look) == kOk ? engine::decode_mk20_upload(look.reply->body) : std::nullopt;
  if (upload && !upload->missing.empty()) return Step::kGoOn;
  give_up(outcome, "finishing the upload", http);
  outcome.verdict = engine::DataVerdict::kRejected;
  return Step::kEnd;
}

Mk20Adapter::Step Mk20Adapter::settle_by_status(const engine::PreparedDeal& deal, engine::DataOutcome& outcome) {
  const engine::StatusClaim claim = status(deal);
  if (claim.view == engine::ProviderView::kHasDeal && !claim.awaits_data && claim.stage != "accepted") {
    outcome.verdict = engine::DataVerdict::kDone;
    outcome.reason = "the provider has it, and is at: " + claim.stage;
  } else {
    outcome.verdict =
        claim.view == engine::ProviderView::kFailed ? engine::DataVerdict::kRejected : engine::DataVerdict::kIncomplete;
    outcome.reason =
        engine::provider_text(fmt::format("the provider does not wait for data: {} {}", claim.stage, claim.message));
  }
  return Step::kEnd;
}

}  // namespace piecework::tools
