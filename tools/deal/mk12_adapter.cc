#include "tools/deal/mk12_adapter.h"

#include <fmt/format.h>

#include "engine/deal/deal_file.h"
#include "engine/deal/deal_request.h"
#include "engine/deal/judge_reply.h"

namespace piecework::tools {

Result<engine::PreparedDeal> Mk12Adapter::prepare(const engine::DealRequest& request) {
  if (request.transfer == engine::DataTransfer::kPush || request.urls.size() > 1) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                "no MK12 deal is made: the provider fetches the piece from one URL, or imports a file");
  }
  PIECEWORK_ASSIGN(engine::SignedDeal deal, engine::sign_deal(request, signer_));
  deal.prepared.bytes = engine::encode_mk12_deal(request, deal);
  return std::move(deal.prepared);
}

engine::SubmitOutcome Mk12Adapter::submit(const engine::PreparedDeal& deal, bool is_repeat) {
  const io::HttpOutcome http =
      exchange(io::HttpMethod::kPost, "/market/mk12/store", deal.bytes, options_.submit_timeout_ms);
  return engine::judge_mk12_submit(http, deal, is_repeat);
}

engine::StatusClaim Mk12Adapter::status(const engine::PreparedDeal& deal) {
  const auto no_answer = [](const Error& error) {
    engine::StatusClaim claim;
    claim.message = error.message;
    return claim;
  };
  const Result<engine::DealUuid> uuid = engine::parse_deal_uuid(deal.client_key);
  if (!uuid) return no_answer(uuid.error());
  const Result<engine::TypedSignature> signature = signer_.sign_status_query(*uuid);
  if (!signature) return no_answer(signature.error());
  const std::vector<uint8_t> query = engine::encode_mk12_status_query(*uuid, *signature);
  return engine::judge_mk12_status(
      exchange(io::HttpMethod::kGet, "/market/mk12/status", query, options_.query_timeout_ms), deal);
}

Result<engine::DataOutcome> Mk12Adapter::send_data(const engine::PreparedDeal&, const engine::PieceBytes&) {
  return fail(ErrorCode::kUnsupported, ErrorSide::kConfig,
              "MK12 has no upload: the provider fetches the piece from its URL, or imports a file");
}

Result<engine::Mk12Ask> Mk12Adapter::ask(const engine::Address& provider) {
  const std::vector<uint8_t> query = engine::encode_mk12_ask_query(provider);
  const io::HttpOutcome http = exchange(io::HttpMethod::kGet, "/market/mk12/ask", query, options_.query_timeout_ms);
  const auto unavailable = [this](std::string_view why) {
    return fail(ErrorCode::kUnavailable, ErrorSide::kSource,
                fmt::format("{}: no ask: {}", options_.base_url, engine::provider_text(why)));
  };
  if (!http.reply) return unavailable(http.failure);
  if (http.reply->status != 200) return unavailable(fmt::format("HTTP {}", http.reply->status));
  Result<engine::Mk12Ask> ask = engine::decode_mk12_ask(http.reply->body);
  if (!ask) return unavailable(ask.error().message);
  return ask;
}

io::HttpOutcome Mk12Adapter::exchange(io::HttpMethod method, std::string_view path, ByteSpan body, int64_t timeout_ms) {
  io::HttpRequest request;
  request.method = method;
  request.url = fmt::format("{}{}", options_.base_url, path);
  request.headers = {{"Content-Type", "application/cbor"}};
  request.body = body;
  request.reply_bytes_max = engine::kMk12ReplyBytesMax;
  request.timeout_ms = timeout_ms;
  return http_.perform(request);
}

}  // namespace piecework::tools
