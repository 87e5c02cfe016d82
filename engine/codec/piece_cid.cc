// Encoding and strict decoding of piece CIDs; see piece_cid.h.
#include "engine/codec/piece_cid.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "engine/codec/cid.h"
#include "kernels/base/check.h"
#include "kernels/base/units.h"
#include "kernels/base/varint.h"

namespace piecework::engine {
namespace {

constexpr size_t kPieceCidBytesMax = 64;
constexpr unsigned kPieceHeightMin = 2;   // 128 padded bytes
constexpr unsigned kPieceHeightMax = 57;  // the largest tree of engine/piece/piece_size.h

constexpr uint64_t padded_bytes_of(unsigned height) { return uint64_t{32} << height; }
constexpr uint64_t capacity_bytes(uint64_t padded_bytes) { return padded_bytes / 128 * 127; }

// Height of the smallest tree that holds `payload_bytes`. REQUIRES: no more than the largest tree holds.
unsigned height_for(uint64_t payload_bytes) {
  PIECEWORK_CHECK(payload_bytes <= capacity_bytes(padded_bytes_of(kPieceHeightMax)));
  const uint64_t quad_count = std::max<uint64_t>(div_ceil(payload_bytes, 127), 1);
  return kPieceHeightMin + static_cast<unsigned>(std::countr_zero(std::bit_ceil(quad_count)));
}

std::string text_of(uint64_t codec, uint64_t hash_code, ByteSpan digest) {
  std::array<uint8_t, kPieceCidBytesMax> bytes;
  uint8_t* end = encode_varint(bytes.data(), 1);
  end = encode_varint(end, codec);
  end = encode_multihash(end, hash_code, digest);
  return cid_text({bytes.data(), end});
}

tl::unexpected<Error> invalid(std::string message) {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig, "not a piece CID: " + std::move(message));
}

Result<Digest32> decode_root(ByteSpan bytes) {
  if (bytes.size() != kDigestBytes) return invalid(fmt::format("root of {} bytes, expected 32", bytes.size()));
  if ((bytes[31] & 0xC0) != 0) return invalid("the two high bits of the root are set: no node of 254 bits");
  Digest32 root;
  std::copy(bytes.begin(), bytes.end(), root.begin());
  return root;
}

Result<PieceCid> decode_v2(ByteSpan digest) {
  const DecodedVarint padding = decode_varint(digest);
  if (padding.status != VarintStatus::kOk) return invalid("bad varint of the padding");
  const ByteSpan rest = digest.subspan(padding.length_bytes);
  if (rest.empty()) return invalid("no height");
  PieceCid piece{.version = 2, .height = rest[0]};
  if (piece.height < kPieceHeightMin || piece.height > kPieceHeightMax) {
    return invalid(fmt::format("height {}, expected {}..{}", piece.height, kPieceHeightMin, kPieceHeightMax));
  }
  PIECEWORK_ASSIGN(piece.root, decode_root(rest.subspan(1)));
  piece.padded_bytes = padded_bytes_of(piece.height);
  const uint64_t capacity = capacity_bytes(piece.padded_bytes);
  if (padding.value > capacity)
    return invalid(fmt::format("padding {} of a piece of {} bytes", padding.value, capacity));
  piece.payload_bytes = capacity - padding.value;
  if (height_for(piece.payload_bytes) != piece.height) {
    return invalid(
        fmt::format("{} payload bytes belong in a smaller tree than height {}", piece.payload_bytes, piece.height));
  }
  return piece;
}

}  // namespace

std::string piece_cid_v1_text(const Digest32& root) { return text_of(kCodecPiece, kHashPieceTreeV1, root); }

std::string piece_cid_v2_text(const Digest32& root, uint64_t payload_bytes) {
  const unsigned height = height_for(payload_bytes);
  std::array<uint8_t, kVarintBytesMax + 1 + kDigestBytes> digest;
  uint8_t* end = encode_varint(digest.data(), capacity_bytes(padded_bytes_of(height)) - payload_bytes);
  *end++ = static_cast<uint8_t>(height);
  end = std::copy(root.begin(), root.end(), end);
  return text_of(kCodecRaw, kHashPieceTreeV2, {digest.data(), end});
}

Result<PieceCid> parse_piece_cid(std::string_view text) {
  PIECEWORK_ASSIGN(const Cid cid, parse_cid(text));
  const CidView view = cid.view();
  if (view.codec == kCodecPiece && view.multihash.code == kHashPieceTreeV1) {
    PieceCid piece;
    PIECEWORK_ASSIGN(piece.root, decode_root(view.multihash.digest));
    return piece;
  }
  if (view.codec == kCodecRaw && view.multihash.code == kHashPieceTreeV2) return decode_v2(view.multihash.digest);
  return invalid(fmt::format("codec {:#x} with multihash {:#x}, expected 0xf101 with 0x1012 or 0x55 with 0x1011",
                             view.codec, view.multihash.code));
}

}  // namespace piecework::engine
