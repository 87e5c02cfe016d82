#include "engine/deal/judge_reply.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/deal/deal_request.h"
#include "engine/deal/mk12_wire.h"
#include "engine/deal/mk20_wire.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

constexpr int kOk = 200;
constexpr int kTooEarly = 425;
constexpr int kTooManyRequests = 429;
constexpr int kUnavailable = 503;
constexpr int64_t kRetryAfterMax_s = 86'400;  // what a provider says is not believed beyond a day

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// Boost and Curio on a proposal that they have already.
bool says_duplicate(std::string_view message) {
  return contains(message, "identical to deal") || contains(message, "duplicate key") ||
         contains(message, "unique constraint");
}

bool may_hide_a_deal(int status) {
  return status < 400 || status >= 500 || status == 408 || status == kTooEarly || status == kTooManyRequests;
}

SubmitOutcome without_verdict(const io::HttpOutcome& http) {
  SubmitOutcome outcome;
  outcome.was_sent = http.was_sent;
  if (!http.reply) {
    outcome.reason = provider_text(http.failure);
    return outcome;
  }
  outcome.http_status = http.reply->status;
  outcome.is_busy = http.reply->status == kTooManyRequests || http.reply->status == kUnavailable;
  outcome.retry_after_s = std::clamp<int64_t>(http.reply->retry_after_s, 0, kRetryAfterMax_s);
  return outcome;
}

// Turns a refusal into the verdict that it is worth.
SubmitOutcome refused(SubmitOutcome outcome, std::string_view reason, bool is_repeat) {
  outcome.verdict = is_repeat ? SubmitVerdict::kUnknown : SubmitVerdict::kRejected;
  outcome.reason = (is_repeat ? "the repetition was refused: " : "") + provider_text(reason);
  return outcome;
}

std::string status_text(const io::HttpReply& reply) {
  return provider_text(fmt::format("HTTP {}: {}", reply.status, as_text(reply.body)));
}

std::string raw_sha256(const io::HttpReply& reply) { return to_hex(kernels::sha256(reply.body)); }

StatusClaim without_view(const io::HttpOutcome& http) {
  StatusClaim claim;
  if (!http.reply) {
    claim.message = provider_text(http.failure);
    return claim;
  }
  claim.http_status = http.reply->status;
  claim.raw_sha256 = raw_sha256(*http.reply);
  if (http.reply->status != kOk) claim.message = status_text(*http.reply);
  return claim;
}

}  // namespace

SubmitOutcome judge_mk12_submit(const io::HttpOutcome& http, const PreparedDeal& deal, bool is_repeat) {
  SubmitOutcome outcome = without_verdict(http);
  if (!http.reply) return outcome;
  if (http.reply->status != kOk) {
    const std::string reason = status_text(*http.reply);
    if (!may_hide_a_deal(http.reply->status)) return refused(std::move(outcome), reason, is_repeat);
    outcome.reason = reason;
    return outcome;
  }
  const Result<Mk12Response> response = decode_mk12_response(http.reply->body);
  if (!response) {
    outcome.reason = "an answer that is none: " + response.error().message;
  } else if (response->is_accepted) {
    outcome.verdict = SubmitVerdict::kAccepted;
    outcome.reason = provider_text(response->message);
  } else if (contains(response->message, "identical to deal " + deal.client_key)) {
    outcome.verdict = SubmitVerdict::kAccepted;
    outcome.reason = provider_text(response->message);
  } else if (says_duplicate(response->message)) {
    outcome.reason = "it seems to have this proposal: " + provider_text(response->message);
  } else {
    return refused(std::move(outcome), response->message, is_repeat);
  }
  return outcome;
}

SubmitOutcome judge_mk20_submit(const io::HttpOutcome& http, bool is_repeat) {
  SubmitOutcome outcome = without_verdict(http);
  if (!http.reply) return outcome;
  const int status = http.reply->status;
  // What answers without these words is not the market's code but something in front of it.
  const bool is_markets_word = as_text(http.reply->body).starts_with("Reason:");
  const std::string_view meaning = mk20_code_meaning(status);
  const std::string reason =
      meaning.empty() ? status_text(*http.reply) : fmt::format("{} ({})", status_text(*http.reply), meaning);
  if (status == kOk && is_markets_word) {
    outcome.verdict = SubmitVerdict::kAccepted;
    return outcome;
  }
  const bool is_refusal = !may_hide_a_deal(status) || (status == kTooEarly && is_markets_word);
  if (is_refusal && !says_duplicate(as_text(http.reply->body))) return refused(std::move(outcome), reason, is_repeat);
  outcome.reason = reason;
  return outcome;
}

StatusClaim judge_mk12_status(const io::HttpOutcome& http, const PreparedDeal& deal) {
  StatusClaim claim = without_view(http);
  if (!http.reply || http.reply->status != kOk) return claim;
  const Result<Mk12StatusReply> reply = decode_mk12_status(http.reply->body);
  if (!reply) {
    claim.message = "an answer that is none: " + reply.error().message;
    return claim;
  }
  claim.message = provider_text(reply->error);
  if (uuid_text(reply->uuid) != deal.client_key) {
    claim.message = "it answers about another deal";
    return claim;
  }
  if (!reply->deal) {
    // Boost says "not found"; Curio's words are the same when its database fails, so they say nothing.
    if (contains(reply->error, "not found")) claim.view = ProviderView::kHasNot;
    return claim;
  }
  if (reply->deal->signed_proposal_cid != deal.signed_proposal_cid) {
    claim.message = "it has another proposal under this key: " + reply->deal->signed_proposal_cid.text();
    return claim;
  }
  claim.view = reply->deal->error.empty() ? ProviderView::kHasDeal : ProviderView::kFailed;
  if (!reply->deal->error.empty()) claim.message = provider_text(reply->deal->error);
  claim.stage = provider_text(reply->deal->status);
  if (reply->deal->chain_deal_id != 0) claim.deal_id = reply->deal->chain_deal_id;
  claim.publish_cid = reply->deal->publish_cid.text();
  return claim;
}

StatusClaim judge_mk20_status(const io::HttpOutcome& http) {
  StatusClaim claim = without_view(http);
  if (!http.reply || http.reply->status != kOk) return claim;
  const std::optional<Mk20Status> status = decode_mk20_status(http.reply->body);
  if (!status) {
    claim.message = "an answer that is none";
    return claim;
  }
  claim.stage = provider_text(status->stage);
  claim.message = provider_text(status->error);
  claim.view = status->stage == "failed" ? ProviderView::kFailed : ProviderView::kHasDeal;
  claim.awaits_data = status->stage == "uploading";
  return claim;
}

}  // namespace piecework::engine
