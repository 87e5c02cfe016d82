#include "engine/deal/mk20_wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/codec/piece_cid.h"
#include "engine/deal/bounded_json.h"
#include "engine/deal/deal_proposal.h"

namespace piecework::engine {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kChunkCountMax = uint64_t{1} << 20;
constexpr Epoch kAllocatedEpochsMin = 441;  // of a deal with an allocation

tl::unexpected<Error> refuse(std::string_view why) {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig, fmt::format("no MK20 deal is made: {}", why));
}

Json data_json(const DealRequest& request) {
  Json data;
  data["piece_cid"] = {{"/", piece_cid_v2_text(request.piece_root, request.payload_bytes)}};
  data["format"] = {{"car", Json::object()}};
  switch (request.transfer) {
    case DataTransfer::kOffline:
      data["source_offline"] = Json::object();
      break;
    case DataTransfer::kPush:
      data["source_http_put"] = Json::object();
      break;
    case DataTransfer::kPull: {
      Json urls = Json::array();
      for (const PieceUrl& url : request.urls) {
        Json headers = Json::object();
        for (const auto& [name, value] : url.headers) headers[name] = Json::array({value});
        urls.push_back({{"url", url.url}, {"headers", headers}, {"priority", urls.size()}, {"fallback", true}});
      }
      data["source_http"] = {{"urls", urls}};
      break;
    }
  }
  return data;
}

// Chunk numbers as Go prints them: a list, or null where there is none.
std::optional<std::vector<uint64_t>> chunk_list(const nlohmann::json& object, std::string_view key, uint64_t count) {
  const nlohmann::json* const list = json_member(object, key);
  std::vector<uint64_t> chunks;
  if (list == nullptr || list->is_null()) return chunks;
  if (!list->is_array() || list->size() > count) return std::nullopt;
  for (const nlohmann::json& item : *list) {
    if (!item.is_number_unsigned()) return std::nullopt;
    const auto chunk = item.get<uint64_t>();
    if (chunk < 1 || chunk > count) return std::nullopt;
    chunks.push_back(chunk);
  }
  std::ranges::sort(chunks);
  if (std::ranges::adjacent_find(chunks) != chunks.end()) return std::nullopt;
  return chunks;
}

}  // namespace

Status check_mk20_request(const DealRequest& request) {
  if (!request.price.per_epoch.is_zero() || !request.price.total.is_zero()) {
    return refuse("its deals carry no price, so the price must be 0");
  }
  if (!request.client_collateral.is_zero()) return refuse("its deals have no collateral of the client");
  if (request.is_verified != request.allocation_id.has_value()) {
    return refuse("a verified deal needs an allocation id, and no other deal has one");
  }
  if (!request.label.empty()) return refuse("its deals have no label");
  const Epoch duration_epochs = request.end_epoch - request.start_epoch;
  const Epoch least_epochs = request.allocation_id ? kAllocatedEpochsMin : kDealEpochsMin;
  if (duration_epochs < least_epochs) {
    return refuse(fmt::format("a duration of {} epochs, expected at least {}", duration_epochs, least_epochs));
  }
  return {};
}

std::string encode_mk20_deal(const DealRequest& request, const DealUlid& ulid) {
  Json ddo;
  ddo["provider"] = request.provider.text(request.address_prefix);
  ddo["start_epoch"] = request.start_epoch;
  ddo["duration"] = request.end_epoch - request.start_epoch;
  ddo["allocation_id"] = request.allocation_id ? Json(*request.allocation_id) : Json();
  ddo["market_address"] = "";
  ddo["market_deal_id"] = Json();
  ddo["notification_address"] = "<empty>";
  Json deal;
  deal["identifier"] = ulid_text(ulid);
  deal["client"] = request.client.text(request.address_prefix);
  deal["data"] = data_json(request);
  deal["products"]["ddo_v1"] = ddo;
  deal["products"]["retrieval_v1"] = {
      {"indexing", true}, {"announce_payload", request.announce_to_ipni}, {"announce_piece", false}};
  return deal.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<Mk20Status> decode_mk20_status(ByteSpan body) {
  const std::optional<nlohmann::json> json = parse_bounded_json(as_text(body));
  if (!json) return std::nullopt;
  const nlohmann::json* const product = json_member(*json, "ddo_v1");
  if (product == nullptr) return std::nullopt;
  const std::optional<std::string> stage = json_text(*product, "status");
  if (!stage || stage->empty()) return std::nullopt;
  return Mk20Status{*stage, json_text(*product, "errorMsg").value_or("")};
}

std::optional<Mk20Upload> decode_mk20_upload(ByteSpan body) {
  const std::optional<nlohmann::json> json = parse_bounded_json(as_text(body));
  if (!json) return std::nullopt;
  const std::optional<uint64_t> count = json_unsigned(*json, "total_chunks");
  if (!count || *count == 0 || *count > kChunkCountMax) return std::nullopt;
  std::optional<std::vector<uint64_t>> missing = chunk_list(*json, "missing_chunks", *count);
  if (!missing || json_unsigned(*json, "missing") != missing->size()) return std::nullopt;
  return Mk20Upload{*count, std::move(*missing)};
}

std::string encode_mk20_upload_start(uint64_t payload_bytes, uint64_t chunk_bytes) {
  return fmt::format(R"({{"raw_size":{},"chunk_size":{}}})", payload_bytes, chunk_bytes);
}

std::string_view mk20_code_meaning(int http_status) {
  switch (http_status) {
    case 400:
      return "bad proposal";
    case 401:
      return "not authorised, or the clock is wrong";
    case 404:
      return "no such deal";
    case 422:
      return "data source not supported";
    case 423:
      return "product not supported";
    case 424:
      return "product not enabled";
    case 425:
      return "the product's terms are refused";
    case 426:
      return "rejected by the market";
    case 429:
      return "too busy";
    case 430:
      return "malformed data source";
    case 440:
      return "market not enabled";
    case 441:
      return "duration too short";
    case 500:
      return "internal error";
    case 503:
      return "maintenance, or no time to answer";
    default:
      return "";
  }
}

}  // namespace piecework::engine
