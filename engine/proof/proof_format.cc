// See proof_format.h.
#include "engine/proof/proof_format.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/codec/cid.h"
#include "engine/piece/piece_size.h"
#include "io/car_reader.h"
#include "kernels/base/varint.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

constexpr std::string_view kMagic = "PWPROOF1";

}  // namespace

bool ProofClaim::stands_before(const ProofClaim& other) const {
  if (!std::ranges::equal(cid, other.cid)) return std::ranges::lexicographical_compare(cid, other.cid);
  return route < other.route;
}

void seal_proof(std::vector<uint8_t>& body) {
  const Digest32 digest = kernels::sha256(body);
  body.insert(body.end(), digest.begin(), digest.begin() + kProofSealBytes);
}

// ---- Writing --------------------------------------------------------------------------------------------------------

ProofWriter::ProofWriter() : bytes_(kMagic.begin(), kMagic.end()) {}

void ProofWriter::raw(ByteSpan bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }

void ProofWriter::number(uint64_t value) {
  uint8_t bytes[kVarintBytesMax];
  raw({bytes, encode_varint(bytes, value)});
}

void ProofWriter::counted(ByteSpan bytes) {
  number(bytes.size());
  raw(bytes);
}

void ProofWriter::head(const ProofHead& head) {
  number(head.base_name_count);
  number(head.range ? head.range->end_bytes - head.range->begin_bytes : 0);
  if (head.range) number(head.range->begin_bytes);
  number(head.claims.size());
  for (const ProofClaim& claim : head.claims) {
    counted(claim.cid);
    number(claim.route.size());
    for (const uint64_t link : claim.route) number(link);
  }
}

void ProofWriter::record(const ProofRecord& record) {
  counted(record.before);
  number(record.data_bytes);
  counted(record.after);
}

void ProofWriter::piece(const ProofPiece& piece) {
  raw(piece.root);
  number(piece.payload_bytes);
  counted(piece.car_root);
  number(piece.section_count);
}

std::vector<uint8_t> ProofWriter::take() {
  seal_proof(bytes_);
  return std::move(bytes_);
}

// ---- Reading --------------------------------------------------------------------------------------------------------

tl::unexpected<Error> ProofReader::corrupt(std::string_view what) const {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource, fmt::format("no proof: at byte {}: {}", at_, what));
}

Result<ProofReader> ProofReader::open(ByteSpan proof) {
  ProofReader reader(proof.first(proof.size() - std::min(proof.size(), kProofSealBytes)));
  PIECEWORK_ASSIGN(const ByteSpan magic, reader.raw(kMagic.size(), "its first bytes"));
  if (as_text(magic) != kMagic) return reader.corrupt("expected \"PWPROOF1\"");
  const Digest32 digest = kernels::sha256(reader.bytes_);
  if (std::ranges::equal(proof.last(kProofSealBytes), ByteSpan(digest).first(kProofSealBytes))) return reader;
  return reader.corrupt("its last 8 bytes are not those of its digest: it was damaged");
}

Result<ByteSpan> ProofReader::raw(uint64_t count, std::string_view what) {
  if (count > bytes_.size() - at_) return corrupt(fmt::format("it ends inside {}", what));
  const ByteSpan found = bytes_.subspan(at_, static_cast<size_t>(count));
  at_ += found.size();
  return found;
}

Result<uint64_t> ProofReader::number(std::string_view what) {
  const DecodedVarint varint = decode_varint(bytes_.subspan(at_));
  if (varint.status != VarintStatus::kOk) return corrupt(fmt::format("no minimal varint: {}", what));
  at_ += varint.length_bytes;
  return varint.value;
}

Result<ByteSpan> ProofReader::counted(std::string_view what) {
  PIECEWORK_ASSIGN(const uint64_t count, number(what));
  return raw(count, what);
}

Result<std::optional<ProofRange>> ProofReader::range() {
  PIECEWORK_ASSIGN(const uint64_t length_bytes, number("the range"));
  if (length_bytes == 0) return std::optional<ProofRange>();
  PIECEWORK_ASSIGN(const uint64_t begin_bytes, number("the range"));
  return std::optional(ProofRange{begin_bytes, begin_bytes + length_bytes});  // two varints: below 2^64
}

Result<ProofClaim> ProofReader::claim() {
  ProofClaim claim;
  PIECEWORK_ASSIGN(claim.cid, counted("a CID"));
  if (const auto decoded = decode_cid(claim.cid); !decoded) return corrupt(decoded.error().message);
  PIECEWORK_ASSIGN(const uint64_t link_count, number("the links of a route"));
  for (uint64_t i = 0; i < link_count; ++i) {  // as long as there are bytes
    PIECEWORK_ASSIGN(const uint64_t link, number("a link"));
    claim.route.push_back(link);
  }
  return claim;
}

Result<ProofHead> ProofReader::head() {
  ProofHead head;
  PIECEWORK_ASSIGN(head.base_name_count, number("the names of the base"));
  PIECEWORK_ASSIGN(head.range, range());
  PIECEWORK_ASSIGN(const uint64_t claim_count, number("the items"));
  if (claim_count == 0) return corrupt("no items");
  for (uint64_t i = 0; i < claim_count; ++i) {
    PIECEWORK_ASSIGN(ProofClaim read, claim());
    if (i > 0 && !head.claims.back().stands_before(read)) return corrupt("items out of order");
    head.claims.push_back(std::move(read));
  }
  return head;
}

Result<ProofRecord> ProofReader::record() {
  ProofRecord record;
  PIECEWORK_ASSIGN(record.before, counted("a block"));
  PIECEWORK_ASSIGN(record.data_bytes, number("a block"));
  PIECEWORK_ASSIGN(record.after, counted("a block"));
  // No sum of these overflows: two lie in memory, a varint is below 2^63.
  if (record.before.size() + record.data_bytes + record.after.size() <= io::kCarBlockBytesMax) return record;
  return corrupt(fmt::format("a block of over {} bytes", io::kCarBlockBytesMax));
}

Result<ProofPiece> ProofReader::piece() {
  ProofPiece piece;
  PIECEWORK_ASSIGN(const ByteSpan root, raw(kDigestBytes, "the root of a piece"));
  std::ranges::copy(root, piece.root.begin());
  PIECEWORK_ASSIGN(piece.payload_bytes, number("the size of a piece"));
  if (piece.payload_bytes > kPayloadBytesMax) return corrupt("a piece that is too large");
  PIECEWORK_ASSIGN(piece.car_root, counted("the root of a CAR"));
  PIECEWORK_ASSIGN(piece.section_count, number("the sections of a piece"));
  if (piece.car_root.empty() && piece.section_count == 0) return corrupt("a piece that nothing needs");
  return piece;
}

}  // namespace piecework::engine
