// What providers and nodes answer: any bytes, any status. Nothing but an acceptance in so many words is one, no text
// comes through unescaped or unbounded, and refusals of repetitions settle nothing.
#include <algorithm>

#include "engine/deal/chain_replies.h"
#include "engine/deal/judge_reply.h"
#include "engine/deal/mk12_wire.h"
#include "engine/deal/mk20_wire.h"
#include "kernels/base/check.h"
#include "kernels/base/text.h"

namespace piecework::engine {
namespace {

constexpr int kStatuses[] = {200, 200, 200, 200, 400, 401, 404, 408, 425, 429, 500, 503, 302, 204, 441, 0};

void check_text(const std::string& text) {
  // Escaping makes four of one byte at most.
  PIECEWORK_CHECK(text.size() <= 4 * kProviderTextBytesMax + 256 && printable(text) == text);
}

void check_submit(const SubmitOutcome& outcome, const SubmitOutcome& repeated, int status) {
  check_text(outcome.reason);
  PIECEWORK_CHECK(repeated.verdict != SubmitVerdict::kRejected);
  PIECEWORK_CHECK((outcome.verdict == SubmitVerdict::kAccepted) == (repeated.verdict == SubmitVerdict::kAccepted));
  if (outcome.verdict == SubmitVerdict::kAccepted) PIECEWORK_CHECK(status == 200);
  const bool may_hide = status >= 500 || (status != 200 && status < 400) || status == 408 || status == 429;
  if (may_hide) PIECEWORK_CHECK(outcome.verdict == SubmitVerdict::kUnknown);
}

void check_claim(const StatusClaim& claim, int status) {
  check_text(claim.stage);
  check_text(claim.message);
  PIECEWORK_CHECK(claim.deal_id != 0U);
  if (claim.view != ProviderView::kNoAnswer) PIECEWORK_CHECK(status == 200);
}

void check_chain(const io::HttpOutcome& http) {
  const RpcReply reply = judge_rpc_reply(http);
  check_text(reply.message);
  const nlohmann::json& result = reply.result;
  if (const std::optional<ChainTipset> tipset = parse_tipset(result)) {
    PIECEWORK_CHECK(!tipset->key.empty() && tipset->epoch >= 0);
  }
  if (const std::optional<MinerInfo> miner = parse_miner_info(result, 'f')) PIECEWORK_CHECK(miner->urls.size() <= 64);
  if (const std::optional<MarketDeal> deal = parse_market_deal(result, 'f')) {
    PIECEWORK_CHECK(is_same_deal(deal->proposal, deal->proposal, Address()));
  }
  static_cast<void>(parse_address(result, 't'));
  static_cast<void>(parse_collateral_bounds(result));
  static_cast<void>(parse_market_balance(result));
  static_cast<void>(parse_data_cap(result));
  static_cast<void>(parse_allocation(result));
  static_cast<void>(parse_claim(result));
  static_cast<void>(parse_sector_info(result));
  static_cast<void>(bit_field_has(result, 7));
  static_cast<void>(parse_searched_message(result));
  static_cast<void>(parse_chain_message(result, 'f'));
  static_cast<void>(parse_sector_events(result, 'f'));
}

}  // namespace
}  // namespace piecework::engine

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t data_bytes) {
  using namespace piecework;
  using namespace piecework::engine;
  if (data_bytes == 0) return 0;
  const int status = kStatuses[data[0] % std::size(kStatuses)];
  io::HttpOutcome http{std::nullopt, true, "no reply"};
  if (status != 0) http.reply = io::HttpReply{status, std::vector<uint8_t>(data + 1, data + data_bytes), -5};
  PreparedDeal deal;
  deal.client_key = "00010203-0405-0607-0809-0a0b0c0d0e0f";
  deal.signed_proposal_cid = parse_cid("bafyreic4b2clkvqtzzjee4m6wy7vdioykxhmy7d2xlnb2g6rdlipdui4ni").value();
  check_submit(judge_mk12_submit(http, deal, false), judge_mk12_submit(http, deal, true), status);
  check_submit(judge_mk20_submit(http, false), judge_mk20_submit(http, true), status);
  check_claim(judge_mk12_status(http, deal), status);
  check_claim(judge_mk20_status(http), status);
  if (status == 0) return 0;
  static_cast<void>(decode_mk12_ask(http.reply->body));
  if (const std::optional<Mk20Upload> upload = decode_mk20_upload(http.reply->body)) {
    PIECEWORK_CHECK(upload->missing.size() <= upload->chunk_count && std::ranges::is_sorted(upload->missing));
  }
  check_chain(http);
  return 0;
}
