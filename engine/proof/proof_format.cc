// See proof_format.h.
#include "engine/proof/proof_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "engine/codec/cid.h"
#include "engine/codec/multibase.h"
#include "engine/codec/piece_cid.h"
#include "engine/restore/verify_names.h"
#include "kernels/base/varint.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

constexpr std::string_view kMagic = "PWPROOF1";

class Writer {
 public:
  void number(uint64_t value) {
    uint8_t bytes[kVarintBytesMax];
    raw({bytes, encode_varint(bytes, value)});
  }
  void raw(ByteSpan bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void counted(ByteSpan bytes) {
    number(bytes.size());
    raw(bytes);
  }
  void names(const std::vector<std::string_view>& names) {
    number(names.size());
    for (const std::string_view name : names) counted(as_bytes(name));
  }
  std::vector<uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<uint8_t> bytes_;
};

std::vector<uint8_t> piece_cid_bytes(const ProofPiece& piece) {
  return *decode_multibase(piece_cid_v2_text(piece.root, piece.payload_bytes));
}

class Reader {
 public:
  explicit Reader(ByteSpan bytes) : bytes_(bytes) {}

  tl::unexpected<Error> corrupt(std::string_view what) const {
    return fail(ErrorCode::kCorrupt, ErrorSide::kSource, fmt::format("no proof: at byte {}: {}", at_, what));
  }
  bool at_end() const { return at_ == bytes_.size(); }

  Result<ByteSpan> raw(uint64_t count, std::string_view what) {
    if (count > bytes_.size() - at_) return corrupt(fmt::format("it ends inside {}", what));
    const ByteSpan found = bytes_.subspan(at_, static_cast<size_t>(count));
    at_ += found.size();
    return found;
  }
  Result<uint64_t> number(std::string_view what) {
    const DecodedVarint varint = decode_varint(bytes_.subspan(at_));
    if (varint.status != VarintStatus::kOk) return corrupt(fmt::format("no minimal varint: {}", what));
    at_ += varint.length_bytes;
    return varint.value;
  }
  Result<ByteSpan> counted(std::string_view what) {
    PIECEWORK_ASSIGN(const uint64_t count, number(what));
    return raw(count, what);
  }
  // 0 or 1.
  Result<bool> flag(std::string_view what) {
    PIECEWORK_ASSIGN(const ByteSpan byte, raw(1, what));
    if (byte[0] > 1) return corrupt(fmt::format("{} is {}, expected 0 or 1", what, byte[0]));
    return byte[0] == 1;
  }
  // Each element takes at least a byte, so a count cannot make more of them than there are bytes.
  Result<uint64_t> count(uint64_t min, std::string_view what) {
    PIECEWORK_ASSIGN(const uint64_t value, number(what));
    if (value < min || value > bytes_.size() - at_) return corrupt(fmt::format("{} {}", value, what));
    return value;
  }
  Result<std::vector<std::string_view>> names() {
    PIECEWORK_ASSIGN(const uint64_t name_count, count(0, "names"));
    std::vector<std::string_view> names;
    for (uint64_t i = 0; i < name_count; ++i) {
      PIECEWORK_ASSIGN(const ByteSpan name, counted("a name"));
      if (const char* reason = unsafe_name_reason(as_text(name))) return corrupt(fmt::format("a name: {}", reason));
      names.push_back(as_text(name));
    }
    return names;
  }
  Result<ByteSpan> cid() {
    PIECEWORK_ASSIGN(const ByteSpan bytes, counted("a CID"));
    if (const auto decoded = decode_cid(bytes); !decoded) return corrupt(decoded.error().message);
    return bytes;
  }

 private:
  ByteSpan bytes_;
  size_t at_ = 0;
};

Result<ProofPiece> read_piece(Reader& reader) {
  PIECEWORK_ASSIGN(const ByteSpan cid, reader.counted("a piece CID"));
  const auto decoded = parse_piece_cid(cid_text(cid));
  if (!decoded) return reader.corrupt(decoded.error().message);
  ProofPiece piece{.root = decoded->root, .payload_bytes = decoded->payload_bytes};
  if (decoded->version != 2 || !std::ranges::equal(piece_cid_bytes(piece), cid)) {
    return reader.corrupt("expected a piece CID v2");
  }
  return piece;
}

Result<ProofClaim> read_claim(Reader& reader) {
  ProofClaim claim;
  PIECEWORK_ASSIGN(claim.has_path, reader.flag("the kind of a claim"));
  if (claim.has_path) {
    PIECEWORK_ASSIGN(claim.piece, reader.number("the piece of a claim"));
  }
  PIECEWORK_ASSIGN(claim.cid, reader.cid());
  if (claim.has_path) {
    PIECEWORK_ASSIGN(claim.path, reader.names());
  }
  return claim;
}

Result<ProofRecord> read_record(Reader& reader) {
  ProofRecord record;
  PIECEWORK_ASSIGN(record.piece, reader.number("the piece of a section"));
  PIECEWORK_ASSIGN(record.car_offset_bytes, reader.number("the offset of a section"));
  PIECEWORK_ASSIGN(record.before, reader.counted("a block"));
  PIECEWORK_ASSIGN(record.data_bytes, reader.number("the data of a section"));
  if (record.data_bytes == 0) return record;
  PIECEWORK_ASSIGN(record.after, reader.counted("a block"));
  return record;
}

Result<std::optional<ProofRange>> read_range(Reader& reader) {
  PIECEWORK_ASSIGN(const bool has_range, reader.flag("the kind of a proof"));
  if (!has_range) return std::optional<ProofRange>();
  ProofRange range;
  PIECEWORK_ASSIGN(range.begin_bytes, reader.number("the range"));
  PIECEWORK_ASSIGN(range.end_bytes, reader.number("the range"));
  if (range.begin_bytes >= range.end_bytes) return reader.corrupt("an empty range");
  return std::optional<ProofRange>(range);
}

// Strictly ascending: by path, then by CID.
bool stands_before(const ProofClaim& a, const ProofClaim& b) {
  if (a.path != b.path) return std::ranges::lexicographical_compare(a.path, b.path);
  return std::ranges::lexicographical_compare(a.cid, b.cid);
}

// What the fields say about each other. Which pieces and records are needed is seen by whoever follows the links.
Status check_fields(const Proof& proof, const Reader& reader) {
  for (size_t i = 0; i < proof.claims.size(); ++i) {
    const ProofClaim& claim = proof.claims[i];
    if (claim.has_path && claim.piece >= proof.pieces.size()) return reader.corrupt("a claim of no piece");
    if (i > 0 && !stands_before(proof.claims[i - 1], claim)) return reader.corrupt("claims out of order");
    const bool is_only = proof.claims.size() == 1;
    if (!claim.has_path && (!is_only || !proof.base.empty())) return reader.corrupt("a claim without its path");
  }
  if (proof.range && (proof.claims.size() != 1 || !proof.claims[0].path.empty())) {
    return reader.corrupt("a range of several items");
  }
  for (const ProofRecord& record : proof.records) {
    if (record.piece >= proof.pieces.size()) return reader.corrupt("a section of no piece");
  }
  return {};
}

Status read_body(Reader& reader, Proof& proof) {
  PIECEWORK_ASSIGN(const uint64_t piece_count, reader.count(1, "pieces"));
  for (uint64_t i = 0; i < piece_count; ++i) {
    PIECEWORK_ASSIGN(ProofPiece piece, read_piece(reader));
    proof.pieces.push_back(piece);
  }
  PIECEWORK_ASSIGN(const uint64_t claim_count, reader.count(1, "items"));
  for (uint64_t i = 0; i < claim_count; ++i) {
    PIECEWORK_ASSIGN(ProofClaim claim, read_claim(reader));
    proof.claims.push_back(std::move(claim));
  }
  PIECEWORK_ASSIGN(const uint64_t record_count, reader.count(0, "sections"));
  for (uint64_t i = 0; i < record_count; ++i) {
    PIECEWORK_ASSIGN(const ProofRecord record, read_record(reader));
    proof.records.push_back(record);
  }
  for (ProofPiece& piece : proof.pieces) {
    PIECEWORK_ASSIGN(piece.edge_bytes, reader.counted("the edge bytes"));
    PIECEWORK_ASSIGN(const uint64_t hash_count, reader.count(0, "boundary hashes"));
    PIECEWORK_ASSIGN(piece.boundary_hashes, reader.raw(hash_count * kDigestBytes, "the boundary hashes"));
  }
  return {};
}

}  // namespace

std::vector<uint8_t> encode_proof(const Proof& proof) {
  Writer writer;
  writer.raw(as_bytes(kMagic));
  writer.number(proof.range ? 1 : 0);
  if (proof.range) {
    writer.number(proof.range->begin_bytes);
    writer.number(proof.range->end_bytes);
  }
  writer.names(proof.base);
  writer.number(proof.pieces.size());
  for (const ProofPiece& piece : proof.pieces) writer.counted(piece_cid_bytes(piece));
  writer.number(proof.claims.size());
  for (const ProofClaim& claim : proof.claims) {
    writer.number(claim.has_path ? 1 : 0);
    if (claim.has_path) writer.number(claim.piece);
    writer.counted(claim.cid);
    if (claim.has_path) writer.names(claim.path);
  }
  writer.number(proof.records.size());
  for (const ProofRecord& record : proof.records) {
    writer.number(record.piece);
    writer.number(record.car_offset_bytes);
    writer.counted(record.before);
    writer.number(record.data_bytes);
    if (record.data_bytes > 0) writer.counted(record.after);
  }
  for (const ProofPiece& piece : proof.pieces) {
    writer.counted(piece.edge_bytes);
    writer.number(piece.boundary_hashes.size() / kDigestBytes);
    writer.raw(piece.boundary_hashes);
  }
  std::vector<uint8_t> bytes = writer.take();
  seal_proof(bytes);
  return bytes;
}

void seal_proof(std::vector<uint8_t>& body) {
  const Digest32 digest = kernels::sha256(body);
  body.insert(body.end(), digest.begin(), digest.begin() + kProofSealBytes);
}

Result<Proof> decode_proof(ByteSpan bytes) {
  Reader reader(bytes.first(bytes.size() - std::min(bytes.size(), kProofSealBytes)));
  PIECEWORK_ASSIGN(const ByteSpan magic, reader.raw(kMagic.size(), "its first bytes"));
  if (as_text(magic) != kMagic) return reader.corrupt("expected \"PWPROOF1\"");
  Proof proof;
  PIECEWORK_ASSIGN(proof.range, read_range(reader));
  PIECEWORK_ASSIGN(proof.base, reader.names());
  PIECEWORK_TRY(read_body(reader, proof));
  if (!reader.at_end()) return reader.corrupt("bytes behind its end");
  const Digest32 digest = kernels::sha256(bytes.first(bytes.size() - kProofSealBytes));
  if (!std::ranges::equal(bytes.last(kProofSealBytes), ByteSpan(digest).first(kProofSealBytes))) {
    return reader.corrupt("its last 8 bytes are not those of its digest: it was damaged");
  }
  PIECEWORK_TRY(check_fields(proof, reader));
  return proof;
}

}  // namespace piecework::engine
