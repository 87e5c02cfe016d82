#include "engine/deal/deal_file.h"

#include <nlohmann/json.hpp>

#include "engine/codec/piece_cid.h"
#include "engine/deal/deal_request.h"
#include "engine/deal/mk12_wire.h"

namespace piecework::engine {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;

}  // namespace

Result<SignedDeal> sign_deal(const DealRequest& request, DealSigner& signer) {
  PIECEWORK_ASSIGN(const DealProposal proposal, make_deal_proposal(request));
  if (request.allocation_id) {
    return fail(
        ErrorCode::kInvalidArgument, ErrorSide::kConfig,
        "no deal is made: an f05 deal names no allocation; the market actor makes one from the client's DataCap");
  }
  SignedDeal deal;
  PIECEWORK_ASSIGN(deal.signed_proposal, signer.sign(proposal, request.client_id));
  deal.uuid = make_deal_uuid();
  deal.prepared.client_key = uuid_text(deal.uuid);
  deal.prepared.proposal_cid = proposal_cid(proposal);
  if (!request.client_id.empty()) deal.prepared.onchain_cid = onchain_proposal_cid(proposal, request.client_id);
  deal.prepared.signed_proposal_cid = signed_proposal_cid(deal.signed_proposal);
  return deal;
}

std::vector<uint8_t> encode_mk12_deal(const DealRequest& request, const SignedDeal& deal) {
  Mk12Deal message;
  message.uuid = deal.uuid;
  message.signed_proposal = deal.signed_proposal;
  message.payload_root = request.payload_root;
  if (request.transfer == DataTransfer::kPull) message.url = request.urls.front();
  message.payload_bytes = request.payload_bytes;
  message.skip_ipni_announce = !request.announce_to_ipni;
  message.remove_unsealed_copy = !request.keep_unsealed_copy;
  return encode_mk12_deal(message);
}

std::string encode_deal_file(const DealRequest& request, const SignedDeal& deal) {
  const DealProposal& proposal = deal.signed_proposal.proposal;
  Json json;
  json["format"] = kFormat;
  json["deal_uuid"] = deal.prepared.client_key;
  json["provider"] = proposal.provider.text(request.address_prefix);
  json["client"] = proposal.client.text(request.address_prefix);
  json["piece_cid_v1"] = proposal.piece_cid.text();
  json["piece_cid_v2"] = piece_cid_v2_text(request.piece_root, request.payload_bytes);
  json["root_cid"] = request.payload_root.text();
  json["payload_bytes"] = request.payload_bytes;
  json["padded_bytes"] = proposal.padded_bytes;
  json["is_verified"] = proposal.is_verified;
  json["label"] = proposal.label.content;
  json["start_epoch"] = proposal.start_epoch;
  json["end_epoch"] = proposal.end_epoch;
  json["price_per_epoch_atto"] = proposal.price_per_epoch.text();
  json["price_total_atto"] = request.price.total.text();
  json["price_per_tib_month_atto"] = request.price.per_tib_month.text();
  json["provider_collateral_atto"] = proposal.provider_collateral.text();
  json["client_collateral_atto"] = proposal.client_collateral.text();
  json["urls"] = Json::array();
  for (const PieceUrl& url : request.urls) json["urls"].push_back(url.url);
  json["proposal_cid"] = deal.prepared.proposal_cid.text();
  if (!deal.prepared.onchain_cid.empty()) json["onchain_proposal_cid"] = deal.prepared.onchain_cid.text();
  json["signed_proposal_cid"] = deal.prepared.signed_proposal_cid.text();
  json["signed_proposal_hex"] = to_hex(encode_signed_proposal(deal.signed_proposal));
  json["mk12_deal_params_hex"] = to_hex(encode_mk12_deal(request, deal));
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace piecework::engine
