#include "engine/deal/deal_proposal.h"

#include <fmt/format.h>

#include <array>
#include <bit>

#include "engine/codec/cbor_reader.h"
#include "engine/codec/cbor_writer.h"
#include "engine/deal/big_int.h"
#include "engine/deal/proposal_reader.h"
#include "engine/deal/sodium.h"
#include "engine/piece/piece_size.h"
#include "kernels/base/check.h"
#include "kernels/base/text.h"
#include "kernels/base/varint.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

constexpr uint64_t kProposalFieldCount = 11;
constexpr uint64_t kSignedProposalFieldCount = 2;
constexpr size_t kSignatureBytesMax = 200;  // of a contract's; of an account's at most 97

void write_proposal(CborWriter& writer, const DealProposal& proposal) {
  writer.array(kProposalFieldCount);
  writer.link(proposal.piece_cid.bytes());
  writer.unsigned_integer(proposal.padded_bytes);
  writer.boolean(proposal.is_verified);
  writer.byte_string(proposal.client.bytes());
  writer.byte_string(proposal.provider.bytes());
  if (proposal.label.is_text) {
    writer.text(proposal.label.content);
  } else {
    writer.byte_string(as_bytes(proposal.label.content));
  }
  writer.integer(proposal.start_epoch);
  writer.integer(proposal.end_epoch);
  writer.byte_string(encode_big_int(proposal.price_per_epoch));
  writer.byte_string(encode_big_int(proposal.provider_collateral));
  writer.byte_string(encode_big_int(proposal.client_collateral));
}

Result<DealLabel> read_label(CborReader& reader) {
  PIECEWORK_ASSIGN(const CborHead head, reader.read_head());
  if (head.major != CborMajor::kText && head.major != CborMajor::kBytes)
    return reader.corrupt("a label is text or bytes");
  PIECEWORK_ASSIGN(const ByteSpan content, reader.read_content(head));
  if (content.size() > kDealLabelBytesMax) return reader.corrupt("a label of more than 256 bytes");
  return DealLabel{std::string(as_text(content)), head.major == CborMajor::kText};
}

Result<Address> read_address(CborReader& reader) {
  PIECEWORK_ASSIGN(const ByteSpan content, read_cbor_bytes(reader));
  Result<Address> address = Address::decode(content);
  if (!address) return reader.corrupt(address.error().message);
  return address;
}

Result<AttoFil> read_amount(CborReader& reader) {
  PIECEWORK_ASSIGN(const ByteSpan content, read_cbor_bytes(reader));
  const Result<AttoFil> amount = decode_big_int(content);
  if (!amount) return reader.corrupt(amount.error().message);
  return *amount;
}

Status read_array_head(CborReader& reader, uint64_t item_count, std::string_view what) {
  PIECEWORK_ASSIGN(const CborHead head, reader.read_head());
  if (head.major == CborMajor::kArray && head.argument == item_count) return {};
  const std::string found = head.major == CborMajor::kArray ? fmt::format("{} fields", head.argument) : "no array";
  return reader.corrupt(fmt::format("a {} has {} fields, found {}", what, item_count, found));
}

// dag-cbor with `hash_code`: the CIDs of proposals.
Cid dag_cbor_cid(uint64_t hash_code, const Digest32& digest) {
  std::array<uint8_t, kCidBytesMax> bytes{};
  uint8_t* end = encode_varint(bytes.data(), 1);
  end = encode_varint(end, kCodecDagCbor);
  end = encode_multihash(end, hash_code, digest);
  const Result<CidView> view = decode_cid(ByteSpan(bytes.data(), end));
  PIECEWORK_CHECK(view.has_value());
  return Cid(*view);
}

tl::unexpected<Error> refuse(std::string_view field, std::string_view why) {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              fmt::format("the deal proposal is not signed: {} {}", field, why));
}

Status check_piece(const DealProposal& proposal) {
  if (proposal.piece_cid.empty()) return refuse("PieceCID", "is missing");
  const CidView piece = proposal.piece_cid.view();
  if (piece.codec != kCodecPiece || piece.multihash.code != kHashPieceTreeV1 || piece.multihash.digest.size() != 32) {
    return refuse("PieceCID", "must be a piece CID of version 1 (baga6ea4seaq...), found " + proposal.piece_cid.text());
  }
  if (!std::has_single_bit(proposal.padded_bytes) || proposal.padded_bytes < kPieceBytesMin ||
      proposal.padded_bytes > kPieceBytesMax) {
    return refuse("PieceSize", fmt::format("must be a power of two from {} to {} padded bytes, found {}",
                                           kPieceBytesMin, kPieceBytesMax, proposal.padded_bytes));
  }
  return {};
}

Status check_parties(const DealProposal& proposal) {
  if (proposal.client.empty()) return refuse("Client", "is missing");
  switch (proposal.client.protocol()) {
    case AddressProtocol::kId:
    case AddressProtocol::kSecp256k1:
      break;
    case AddressProtocol::kDelegated:
      return refuse("Client",
                    "is a delegated address (f4, f410): the market actor asks the client's actor to check the "
                    "signature, and such accounts do not answer; use an f1 address");
    case AddressProtocol::kBls:
      return refuse("Client", "is a BLS address (f3), for which nothing here signs; use an f1 address");
    case AddressProtocol::kActor:
      return refuse("Client", "is an actor (f2), which has no key; use an f1 address");
  }
  if (proposal.provider.empty() || proposal.provider.protocol() != AddressProtocol::kId) {
    return refuse("Provider", "must be given by its id (f0...)");
  }
  if (proposal.provider == proposal.client) return refuse("Provider", "is the client");
  return {};
}

}  // namespace

Status check_deal_proposal(const DealProposal& proposal) {
  PIECEWORK_TRY(check_piece(proposal));
  PIECEWORK_TRY(check_parties(proposal));
  if (proposal.label.content.size() > kDealLabelBytesMax) {
    return refuse("Label", fmt::format("has {} bytes, at most {}", proposal.label.content.size(), kDealLabelBytesMax));
  }
  if (proposal.label.is_text && !is_utf8(proposal.label.content)) {
    return refuse("Label", "is text that is not UTF-8; give it as bytes");
  }
  if (proposal.start_epoch <= 0) return refuse("StartEpoch", fmt::format("is {}", proposal.start_epoch));
  if (proposal.end_epoch <= proposal.start_epoch) {
    return refuse("EndEpoch",
                  fmt::format("{} is not after the start epoch {}", proposal.end_epoch, proposal.start_epoch));
  }
  const Epoch duration_epochs = proposal.end_epoch - proposal.start_epoch;
  if (duration_epochs < kDealEpochsMin || duration_epochs > kDealEpochsMax) {
    return refuse("EndEpoch", fmt::format("gives a duration of {} epochs, expected {} to {}", duration_epochs,
                                          kDealEpochsMin, kDealEpochsMax));
  }
  return {};
}

std::vector<uint8_t> encode_deal_proposal(const DealProposal& proposal) {
  CborWriter writer;
  write_proposal(writer, proposal);
  return writer.take();
}

std::vector<uint8_t> encode_signed_proposal(const SignedProposal& signed_proposal) {
  CborWriter writer;
  writer.array(kSignedProposalFieldCount);
  write_proposal(writer, signed_proposal.proposal);
  writer.byte_string(signed_proposal.signature);
  return writer.take();
}

Result<DealProposal> read_deal_proposal(CborReader& reader) {
  PIECEWORK_TRY(read_array_head(reader, kProposalFieldCount, "deal proposal"));
  DealProposal proposal;
  PIECEWORK_ASSIGN(const CidView piece, reader.read_link());
  proposal.piece_cid = Cid(piece);
  PIECEWORK_ASSIGN(proposal.padded_bytes, read_cbor_unsigned(reader));
  PIECEWORK_ASSIGN(proposal.is_verified, read_cbor_boolean(reader));
  PIECEWORK_ASSIGN(proposal.client, read_address(reader));
  PIECEWORK_ASSIGN(proposal.provider, read_address(reader));
  PIECEWORK_ASSIGN(proposal.label, read_label(reader));
  PIECEWORK_ASSIGN(proposal.start_epoch, read_cbor_integer(reader));
  PIECEWORK_ASSIGN(proposal.end_epoch, read_cbor_integer(reader));
  PIECEWORK_ASSIGN(proposal.price_per_epoch, read_amount(reader));
  PIECEWORK_ASSIGN(proposal.provider_collateral, read_amount(reader));
  PIECEWORK_ASSIGN(proposal.client_collateral, read_amount(reader));
  return proposal;
}

Result<SignedProposal> read_signed_proposal(CborReader& reader) {
  PIECEWORK_TRY(read_array_head(reader, kSignedProposalFieldCount, "signed proposal"));
  SignedProposal signed_proposal;
  PIECEWORK_ASSIGN(signed_proposal.proposal, read_deal_proposal(reader));
  PIECEWORK_ASSIGN(const ByteSpan signature, read_cbor_bytes(reader));
  if (signature.size() < 2 || signature.size() > kSignatureBytesMax) return reader.corrupt("a signature of odd length");
  signed_proposal.signature.assign(signature.begin(), signature.end());
  return signed_proposal;
}

Result<DealProposal> decode_deal_proposal(ByteSpan bytes) {
  CborReader reader(bytes);
  PIECEWORK_ASSIGN(DealProposal proposal, read_deal_proposal(reader));
  if (!reader.at_end()) return reader.corrupt("bytes after the proposal");
  return proposal;
}

Result<SignedProposal> decode_signed_proposal(ByteSpan bytes) {
  CborReader reader(bytes);
  PIECEWORK_ASSIGN(SignedProposal signed_proposal, read_signed_proposal(reader));
  if (!reader.at_end()) return reader.corrupt("bytes after the signed proposal");
  return signed_proposal;
}

Cid proposal_cid(const DealProposal& proposal) {
  return dag_cbor_cid(kHashBlake2b256, blake2b_256(encode_deal_proposal(proposal)));
}

Cid onchain_proposal_cid(const DealProposal& proposal, const Address& client_id) {
  PIECEWORK_CHECK(client_id.actor_id().has_value() && proposal.provider.actor_id().has_value());
  DealProposal stored = proposal;
  stored.client = client_id;
  return proposal_cid(stored);
}

Cid signed_proposal_cid(const SignedProposal& signed_proposal) {
  return dag_cbor_cid(kHashSha2_256, kernels::sha256(encode_signed_proposal(signed_proposal)));
}

}  // namespace piecework::engine
