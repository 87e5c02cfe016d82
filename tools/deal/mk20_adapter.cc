// Making and asking for MK20 deals; uploads are in mk20_upload.cc.
#include "tools/deal/mk20_adapter.h"

#include <fmt/format.h>

#include "engine/deal/deal_request.h"
#include "engine/deal/judge_reply.h"

namespace piecework::tools {
namespace {

constexpr int kUnauthorised = 401;
constexpr int64_t kSecondsPerMinute = 60;

std::string_view name_of(io::HttpMethod method) {
  switch (method) {
    case io::HttpMethod::kGet:
      return "GET";
    case io::HttpMethod::kPost:
      return "POST";
    case io::HttpMethod::kPut:
      return "PUT";
  }
  return "";
}

bool is_unauthorised(const io::HttpOutcome& http) { return http.reply && http.reply->status == kUnauthorised; }

}  // namespace

Result<engine::PreparedDeal> Mk20Adapter::prepare(const engine::DealRequest& request) {
  PIECEWORK_TRY(engine::check_deal_request(request));
  PIECEWORK_TRY(engine::check_mk20_request(request));
  if (request.client != signer_.address()) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                "no MK20 deal is made: its client is not the wallet's address");
  }
  const engine::DealUlid ulid = engine::make_deal_ulid(options_.unix_time_ms());
  const std::string json = engine::encode_mk20_deal(request, ulid);
  engine::PreparedDeal prepared;
  prepared.client_key = engine::ulid_text(ulid);
  prepared.bytes.assign(json.begin(), json.end());
  return prepared;
}

engine::SubmitOutcome Mk20Adapter::submit(const engine::PreparedDeal& deal, bool is_repeat) {
  const io::HttpOutcome http =
      exchange({io::HttpMethod::kPost, "/deal", "application/json", deal.bytes, options_.submit_timeout_ms});
  return engine::judge_mk20_submit(http, is_repeat);
}

engine::StatusClaim Mk20Adapter::status(const engine::PreparedDeal& deal) {
  const io::HttpOutcome http =
      exchange({io::HttpMethod::kGet, "/status/" + deal.client_key, "", {}, options_.query_timeout_ms});
  engine::StatusClaim claim = engine::judge_mk20_status(http);
  if (!is_unauthorised(http)) return claim;
  // The provider looks the deal up before it answers, so 401 means that it has no such deal of ours, or that it does
  // not take our header. A question that is about no deal tells which.
  const io::HttpOutcome probe = exchange({io::HttpMethod::kGet, "/products", "", {}, options_.query_timeout_ms});
  if (probe.reply && probe.reply->status == 200) {
    claim.view = engine::ProviderView::kHasNot;
    claim.message = "it knows us and no such deal of ours";
  } else if (is_unauthorised(probe)) {
    claim.message = "it refuses our signature: this machine's clock is wrong, or the client is not allowed";
  }
  return claim;
}

io::HttpOutcome Mk20Adapter::exchange(const Call& call) {
  const int64_t sent_s = options_.unix_time_ms() / 1000;
  io::HttpOutcome http = exchange_once(call, sent_s);
  const int64_t now_s = options_.unix_time_ms() / 1000;
  // Refused before anything was done with it, and maybe only since its minute had passed on the way.
  const bool is_stale = sent_s / kSecondsPerMinute != now_s / kSecondsPerMinute;
  if (is_unauthorised(http) && is_stale) return exchange_once(call, now_s);
  return http;
}

io::HttpOutcome Mk20Adapter::exchange_once(const Call& call, int64_t unix_time_s) {
  const std::string path = fmt::format("{}{}", engine::kMk20Path, call.path);
  const Result<std::string> authorization =
      signer_.sign(engine::Mk20Request{std::string(name_of(call.method)), path, unix_time_s});
  if (!authorization) return {std::nullopt, false, authorization.error().message};
  io::HttpRequest request;
  request.method = call.method;
  request.url = options_.base_url + path;
  request.headers = {{"Authorization", *authorization}};
  if (!call.content_type.empty()) request.headers.push_back({"Content-Type", call.content_type});
  request.body = call.body;
  request.reply_bytes_max = engine::kMk20ReplyBytesMax;
  request.timeout_ms = call.timeout_ms;
  return http_.perform(request);
}

}  // namespace piecework::tools
