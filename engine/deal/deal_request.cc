#include "engine/deal/deal_request.h"

#include <fmt/format.h>

#include <bit>

#include "engine/codec/piece_cid.h"
#include "engine/piece/piece_size.h"
#include "io/http_client.h"
#include "kernels/base/text.h"

namespace piecework::engine {
namespace {

tl::unexpected<Error> refuse(std::string why) {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig, "no deal is made: " + std::move(why));
}

Status check_sizes(const DealRequest& request) {
  const bool fits = std::has_single_bit(request.padded_bytes) && request.padded_bytes >= kPieceBytesMin &&
                    request.padded_bytes <= kPieceBytesMax && request.payload_bytes > 0 &&
                    request.payload_bytes <= payload_capacity_bytes(request.padded_bytes);
  if (fits) return {};
  return refuse(fmt::format("{} bytes of payload do not fill a piece of {} padded bytes (a power of two, {} to {})",
                            request.payload_bytes, request.padded_bytes, kPieceBytesMin, kPieceBytesMax));
}

Status check_parties(const DealRequest& request) {
  if (request.client.empty() || request.client.protocol() != AddressProtocol::kSecp256k1) {
    return refuse(
        "the client must be a secp256k1 wallet (f1...): no other kind can sign here, and a delegated one "
        "(f410) cannot sign f05 deals at all");
  }
  if (!request.client_id.empty() && !request.client_id.actor_id()) return refuse("the client's id is no f0 address");
  if (!request.provider.actor_id()) return refuse("the provider must be given by its id (f0...)");
  return {};
}

Status check_data(const DealRequest& request) {
  if (request.payload_root.empty()) return refuse("the root CID of the payload is missing");
  if ((request.transfer == DataTransfer::kPull) != !request.urls.empty()) {
    return refuse("a deal whose data the provider fetches has URLs, and no other has");
  }
  for (const PieceUrl& url : request.urls) PIECEWORK_TRY(io::check_url(url.url));
  return {};
}

}  // namespace

std::string provider_text(std::string_view text) { return printable(text.substr(0, kProviderTextBytesMax)); }

Status check_deal_request(const DealRequest& request) {
  PIECEWORK_TRY(check_sizes(request));
  PIECEWORK_TRY(check_parties(request));
  if (request.start_epoch <= 0 || request.end_epoch <= request.start_epoch) {
    return refuse(fmt::format("it ends at epoch {} and starts at {}", request.end_epoch, request.start_epoch));
  }
  PIECEWORK_TRY(check_price(request.price, request.padded_bytes, request.start_epoch, request.end_epoch,
                            request.price.per_epoch));
  return check_data(request);
}

Result<DealProposal> make_deal_proposal(const DealRequest& request) {
  PIECEWORK_TRY(check_deal_request(request));
  DealProposal proposal;
  PIECEWORK_ASSIGN(proposal.piece_cid, parse_cid(piece_cid_v1_text(request.piece_root)));
  proposal.padded_bytes = request.padded_bytes;
  proposal.is_verified = request.is_verified;
  proposal.client = request.client;
  proposal.provider = request.provider;
  proposal.label.content = request.label.empty() ? request.payload_root.text() : request.label;
  proposal.label.is_text = is_utf8(proposal.label.content);
  proposal.start_epoch = request.start_epoch;
  proposal.end_epoch = request.end_epoch;
  proposal.price_per_epoch = request.price.per_epoch;
  proposal.provider_collateral = request.provider_collateral;
  proposal.client_collateral = request.client_collateral;
  PIECEWORK_TRY(check_deal_proposal(proposal));
  return proposal;
}

}  // namespace piecework::engine
