// The proposal of an f05 storage deal: what a client signs and the market actor checks. Source: go-state-types
// builtin/v16/market, deals.md 1.1.
//
//   proposal = [ PieceCID: tag 42, PieceSize: uint (padded), VerifiedDeal: bool, Client: bytes, Provider: bytes,
//                Label: text or bytes, StartEpoch: int, EndEpoch: int, StoragePricePerEpoch: bytes,
//                ProviderCollateral: bytes, ClientCollateral: bytes ]
//   signed proposal = [ proposal, bytes(signature type, signature) ]
//
// Three CIDs name it, for three readers: that of the proposal as signed; that of the proposal as the actor stores it,
// with both addresses as f0; and that of the signed proposal, by which Boost and Curio know a deal (dag-cbor with
// SHA-256, unlike the two others, which are BLAKE2b-256).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/deal/address.h"
#include "engine/deal/atto_fil.h"
#include "engine/deal/observation.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

inline constexpr size_t kDealLabelBytesMax = 256;
inline constexpr Epoch kDealEpochsMin = 518'400;    // 180 days: the market actor's and the providers' least
inline constexpr Epoch kDealEpochsMax = 3'680'640;  // 1,278 days: the market actor's most
// Any proposal within the limits above is smaller, signed or not.
inline constexpr size_t kSignedProposalBytesMax = 1024;

struct DealLabel {
  std::string content;
  bool is_text = true;  // CBOR text, which is UTF-8; else CBOR bytes

  friend bool operator==(const DealLabel&, const DealLabel&) = default;
};

struct DealProposal {
  Cid piece_cid;  // version 1
  uint64_t padded_bytes = 0;
  bool is_verified = false;
  Address client;
  Address provider;
  DealLabel label;  // by convention the text of the payload's root CID
  Epoch start_epoch = 0;
  Epoch end_epoch = 0;
  AttoFil price_per_epoch;  // for the whole piece, not for a GiB and not for the duration
  AttoFil provider_collateral;
  AttoFil client_collateral;

  friend bool operator==(const DealProposal&, const DealProposal&) = default;
};

struct SignedProposal {
  DealProposal proposal;
  std::vector<uint8_t> signature;  // type, then the signature: 66 bytes for secp256k1

  friend bool operator==(const SignedProposal&, const SignedProposal&) = default;
};

// What must hold before anything is signed or sent: a piece CID of version 1, a padded size that a sector holds, a
// client that can sign an f05 deal (f1, or f0 of such an account: a delegated f410 has no method that the market actor
// could ask), a provider by its id, a label of at most 256 bytes, epochs in order and within the actor's bounds.
// Errors: kInvalidArgument (side kConfig), naming the field.
Status check_deal_proposal(const DealProposal& proposal);

std::vector<uint8_t> encode_deal_proposal(const DealProposal& proposal);
std::vector<uint8_t> encode_signed_proposal(const SignedProposal& signed_proposal);

// Strict: just the fields above, canonical CBOR, nothing behind it; the label's limit holds here too. Rules of
// check_deal_proposal are not asked. Errors: kCorrupt with the offset.
Result<DealProposal> decode_deal_proposal(ByteSpan bytes);
Result<SignedProposal> decode_signed_proposal(ByteSpan bytes);

// bafy2bza...: of the proposal as signed.
Cid proposal_cid(const DealProposal& proposal);
// bafy2bza...: of the proposal as the market actor stores it. REQUIRES: `client_id` is an f0 address, as is the
// proposal's provider.
Cid onchain_proposal_cid(const DealProposal& proposal, const Address& client_id);
// bafyrei...: of the signed proposal.
Cid signed_proposal_cid(const SignedProposal& signed_proposal);

}  // namespace piecework::engine
