// The messages of the MK12 deal protocol (Boost's /fil/storage/mk/1.2.1, Curio's over HTTPS). Source: boost and curio
// market/mk12/types.go in cbor-gen's map encoding, deals.md 1.2.
//
//   DealParams   {DealUUID: bytes 16, Transfer: {Size, Type, Params: bytes, ClientID}, IsOffline, DealDataRoot: link,
//                 SkipIPNIAnnounce, ClientDealProposal, RemoveUnsealedCopy}
//   response     {Message, Accepted}
//   status       {DealUUID, Signature: bytes} -> {Error, DealUUID, IsOffline, DealStatus: null or {Error, Status,
//                 Proposal, PublishCid: null or link, ChainDealID, SealingStatus, SignedProposalCid}, TransferSize,
//                 NBytesReceived}
//   ask          {Miner: bytes} -> {Ask: {Ask: {Price, Miner, SeqNo, Expiry, Timestamp, MinPieceSize, MaxPieceSize,
//                 VerifiedPrice}, Signature}}
//
// Replies are hostile input: bounded, strict CBOR, no key twice; keys may come in any order and unknown ones are left
// out, since both programs have added some. Errors of all decoders: kCorrupt with the offset.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/deal/atto_fil.h"
#include "engine/deal/deal_adapter.h"
#include "engine/deal/deal_key.h"
#include "engine/deal/deal_proposal.h"
#include "engine/deal/deal_signer.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

inline constexpr size_t kMk12ReplyBytesMax = size_t{64} << 10;

struct Mk12Deal {
  DealUuid uuid{};
  SignedProposal signed_proposal;
  Cid payload_root;
  std::optional<PieceUrl> url;  // none: an offline deal
  uint64_t payload_bytes = 0;   // of what `url` gives
  bool skip_ipni_announce = false;
  bool remove_unsealed_copy = false;
};
std::vector<uint8_t> encode_mk12_deal(const Mk12Deal& deal);

struct Mk12Response {
  bool is_accepted = false;
  std::string message;  // untrusted
};
Result<Mk12Response> decode_mk12_response(ByteSpan bytes);

std::vector<uint8_t> encode_mk12_status_query(const DealUuid& uuid, const TypedSignature& signature);

struct Mk12DealStatus {
  std::string error;
  std::string status;
  std::string sealing_status;
  DealProposal proposal;
  Cid signed_proposal_cid;
  Cid publish_cid;  // empty: none
  uint64_t chain_deal_id = 0;
};
struct Mk12StatusReply {
  DealUuid uuid{};
  std::string error;
  bool is_offline = false;
  std::optional<Mk12DealStatus> deal;
  uint64_t transfer_bytes = 0;
  uint64_t received_bytes = 0;
};
Result<Mk12StatusReply> decode_mk12_status(ByteSpan bytes);

struct Mk12Ask {
  AttoFil price_per_gib_epoch;
  AttoFil verified_price_per_gib_epoch;
  uint64_t padded_bytes_min = 0;
  uint64_t padded_bytes_max = 0;
  Address provider;
  Epoch timestamp_epoch = 0;
  Epoch expiry_epoch = 0;
};
std::vector<uint8_t> encode_mk12_ask_query(const Address& provider);
// The signature is not checked: an ask binds nobody, and TLS says who gave it.
Result<Mk12Ask> decode_mk12_ask(ByteSpan bytes);

}  // namespace piecework::engine
