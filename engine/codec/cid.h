// Content identifiers: decoding, text and the encoders of the two forms that Piecework makes.
// Source: multiformats/cid, formats.md 1.
//
//   CIDv0  12 20 <32 bytes>                        exactly 34 bytes: dag-pb, sha2-256; text base58btc "Qm..."
//   CIDv1  varint(1) varint(codec) multihash       text multibase; emitted as base32 "b..."
//
// A block is named by the whole CID (version, codec, multihash): the same bytes linked once as raw and once as dag-pb
// are two blocks, since only one of them has children.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "engine/codec/multihash.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

inline constexpr uint64_t kCodecRaw = 0x55;
inline constexpr uint64_t kCodecDagPb = 0x70;
inline constexpr uint64_t kCodecDagCbor = 0x71;
inline constexpr uint64_t kCodecLibp2pKey = 0x72;
inline constexpr uint64_t kCodecDagJson = 0x0129;
inline constexpr uint64_t kCodecPiece = 0xf101;        // fil-commitment-unsealed
inline constexpr uint64_t kCodecSealedPiece = 0xf102;  // fil-commitment-sealed

inline constexpr size_t kCidV0Bytes = 34;
inline constexpr size_t kCidV1Sha256Bytes = 36;  // with a codec below 0x80
// Version, codec and hash function at their longest varints, and a digest at its longest.
inline constexpr size_t kCidBytesMax = 1 + 9 + 9 + 2 + kMultihashDigestBytesMax;

// The parts of a CID where it stands; valid as long as the bytes it was decoded from.
struct CidView {
  ByteSpan bytes;  // the whole CID
  int version = 0;
  uint64_t codec = 0;
  Multihash multihash;

  bool is_identity() const { return multihash.code == kHashIdentity; }
  bool is_sha256() const { return multihash.code == kHashSha2_256; }
};

// Decodes the CID at the start of `source`; what follows it is the caller's. Bytes 12 20 begin a CIDv0, anything else a
// CIDv1. No allocation but for the message of an error. Errors: kCorrupt.
Result<CidView> decode_cid_prefix(ByteSpan source);

// Decodes a CID that fills `source` to its last byte. Errors: kCorrupt.
Result<CidView> decode_cid(ByteSpan source);

// A CID that owns its bytes; those of a sha2-256 CID or piece CID v1 lie inside the object, so copying one allocates
// nothing. Thread-compatible. A default-constructed Cid is empty and names nothing.
class Cid {
 public:
  Cid() = default;
  // REQUIRES: `view` was decoded (so it holds at most kCidBytesMax bytes).
  explicit Cid(const CidView& view);
  Cid(const Cid& other);
  Cid(Cid&& other) noexcept;
  Cid& operator=(const Cid& other);
  Cid& operator=(Cid&& other) noexcept;

  bool empty() const { return length_bytes_ == 0; }
  ByteSpan bytes() const { return {large_ ? large_.get() : inline_.data(), length_bytes_}; }
  // REQUIRES: not empty. The view points into this object.
  CidView view() const;
  // "b..." or "Qm..."; "" when empty.
  std::string text() const;

  friend bool operator==(const Cid& a, const Cid& b) { return as_text(a.bytes()) == as_text(b.bytes()); }
  friend std::strong_ordering operator<=>(const Cid& a, const Cid& b) {
    return as_text(a.bytes()) <=> as_text(b.bytes());
  }

 private:
  static constexpr size_t kInlineBytes = 39;  // a piece CID v1

  void assign(ByteSpan bytes);

  uint8_t length_bytes_ = 0;
  std::array<uint8_t, kInlineBytes> inline_{};
  std::unique_ptr<uint8_t[]> large_;  // only where the bytes do not fit above
};
static_assert(kCidBytesMax <= 255, "Cid keeps its length in one byte");
static_assert(sizeof(Cid) == 48);

// Length of a sha2-256 CID with a codec below 0x80: 34 for version 0, 36 for version 1.
constexpr size_t sha256_cid_bytes(int cid_version) { return cid_version == 0 ? kCidV0Bytes : kCidV1Sha256Bytes; }

// Writes sha256_cid_bytes(cid_version) bytes and returns the first byte after them.
// REQUIRES: cid_version is 0 or 1; codec < 0x80, and dag-pb for version 0.
uint8_t* encode_sha256_cid(uint8_t* target, int cid_version, uint64_t codec, const Digest32& digest);
Cid sha256_cid(int cid_version, uint64_t codec, const Digest32& digest);

// Text of a CID's bytes: base58btc without prefix where they begin with 12 20 (version 0), else "b" and base32.
std::string cid_text(ByteSpan cid_bytes);

// A CID from text: "Qm..." or a multibase prefix of b B z f F k u m. A CIDv0 inside multibase is refused.
// Errors: kInvalidArgument (side kConfig), naming what is wrong.
Result<Cid> parse_cid(std::string_view text);

}  // namespace piecework::engine
