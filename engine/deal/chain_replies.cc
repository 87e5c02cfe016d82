// The envelope and what concerns tipsets, actors and money; deals, claims and messages are in chain_deals.cc.
#include "engine/deal/chain_replies.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/deal/bounded_json.h"
#include "engine/deal/chain_json.h"
#include "engine/deal/deal_request.h"
#include "engine/deal/multiaddr.h"
#include "kernels/base/text.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

using nlohmann::json;

constexpr size_t kTipsetBlocksMax = 64;
constexpr size_t kMultiaddressesMax = 64;

// "deal 5432 not found", and what follows it.
bool is_about_a_deal(std::string_view message) {
  constexpr std::string_view kBegin = "deal ";
  for (size_t at = message.find(kBegin); at != std::string_view::npos; at = message.find(kBegin, at + 1)) {
    std::string_view rest = message.substr(at + kBegin.size());
    const size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    if (digits > 0 && rest.substr(digits).starts_with(" not found")) return true;
  }
  return false;
}

}  // namespace

std::string encode_rpc_request(std::string_view method, const json& parameters) {
  const json request = {{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", parameters}};
  return request.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool says_not_found(std::string_view message) {
  return is_about_a_deal(message) || message.find("actor not found") != std::string_view::npos;
}

RpcReply judge_rpc_reply(const io::HttpOutcome& http) {
  RpcReply reply;
  if (!http.reply) {
    reply.message = provider_text(http.failure);
    return reply;
  }
  reply.raw_sha256 = to_hex(kernels::sha256(http.reply->body));
  std::optional<json> envelope = parse_bounded_json(as_text(http.reply->body));
  const json* const error = envelope ? json_member(*envelope, "error") : nullptr;
  if (error != nullptr && !error->is_null()) {
    // Lotus answers errors with 200 or 500 alike.
    const std::string message = json_text(*error, "message").value_or("");
    if (says_not_found(message)) reply.verdict = RpcVerdict::kNotFound;
    reply.message = provider_text(message);
    return reply;
  }
  if (!envelope || !envelope->is_object() || http.reply->status != 200 || json_text(*envelope, "jsonrpc") != "2.0") {
    reply.message = provider_text(fmt::format("HTTP {}, and no JSON-RPC: {}", http.reply->status,
                                              as_text(http.reply->body).substr(0, kProviderTextBytesMax)));
    return reply;
  }
  const auto result = envelope->find("result");
  if (result == envelope->end() || result->is_null()) {
    reply.verdict = RpcVerdict::kNull;
  } else {
    reply.verdict = RpcVerdict::kResult;
    reply.result = std::move(*result);
  }
  return reply;
}

std::string ChainTipset::text() const { return fmt::format("{}", fmt::join(key, ",")); }

json ChainTipset::parameter() const {
  json cids = json::array();
  for (const std::string& cid : key) cids.push_back({{"/", cid}});
  return cids;
}

std::optional<std::vector<std::string>> tipset_key_of(const json* cids) {
  if (cids == nullptr || !cids->is_array() || cids->empty() || cids->size() > kTipsetBlocksMax) return std::nullopt;
  std::vector<std::string> key;
  for (const json& item : *cids) {
    const std::optional<Cid> cid = cid_of(&item);
    if (!cid) return std::nullopt;
    key.push_back(cid->text());
  }
  return key;
}

std::optional<ChainTipset> parse_tipset(const json& result) {
  const std::optional<int64_t> epoch = json_integer(result, "Height");
  const json* const blocks = json_member(result, "Blocks");
  std::optional<std::vector<std::string>> key = tipset_key_of(json_member(result, "Cids"));
  if (!epoch || *epoch < 0 || !key || blocks == nullptr || !blocks->is_array() || blocks->empty()) return std::nullopt;
  const std::optional<int64_t> timestamp_s = json_integer(blocks->front(), "Timestamp");
  if (!timestamp_s || *timestamp_s <= 0) return std::nullopt;
  return ChainTipset{std::move(*key), *epoch, *timestamp_s};
}

std::optional<Address> parse_address(const json& result, char prefix) { return address_of(&result, prefix); }

std::optional<MinerInfo> parse_miner_info(const json& result, char prefix) {
  MinerInfo info;
  const std::optional<Address> owner = address_of(json_member(result, "Owner"), prefix);
  const std::optional<Address> worker = address_of(json_member(result, "Worker"), prefix);
  const std::optional<uint64_t> sector_bytes = json_unsigned(result, "SectorSize");
  if (!owner || !worker || !sector_bytes) return std::nullopt;
  info.owner = *owner;
  info.worker = *worker;
  info.sector_bytes = *sector_bytes;
  const json* const multiaddresses = json_member(result, "Multiaddrs");
  if (multiaddresses == nullptr || multiaddresses->is_null()) return info;
  if (!multiaddresses->is_array() || multiaddresses->size() > kMultiaddressesMax) return std::nullopt;
  for (const json& item : *multiaddresses) {
    const std::optional<std::string> bytes = item.is_string() ? decode_base64(item.get<std::string>()) : std::nullopt;
    std::optional<std::string> url = bytes ? http_url_of_multiaddress(as_bytes(*bytes)) : std::nullopt;
    if (url) info.urls.push_back(std::move(*url));
  }
  return info;
}

std::optional<CollateralBounds> parse_collateral_bounds(const json& result) {
  const std::optional<AttoFil> least = amount_of(json_member(result, "Min"));
  const std::optional<AttoFil> most = amount_of(json_member(result, "Max"));
  if (!least || !most || *most < *least) return std::nullopt;
  return CollateralBounds{*least, *most};
}

std::optional<uint64_t> parse_data_cap(const json& result) {
  const std::optional<AttoFil> bytes = amount_of(&result);
  if (!bytes || bytes->atto() > UINT64_MAX) return std::nullopt;
  return static_cast<uint64_t>(bytes->atto());
}

std::optional<MarketBalance> parse_market_balance(const json& result) {
  const std::optional<AttoFil> escrow = amount_of(json_member(result, "Escrow"));
  const std::optional<AttoFil> locked = amount_of(json_member(result, "Locked"));
  if (!escrow || !locked) return std::nullopt;
  return MarketBalance{*escrow, *locked};
}

}  // namespace piecework::engine
