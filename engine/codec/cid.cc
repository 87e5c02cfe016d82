// Decoding, text and encoders of CIDs; see cid.h.
#include "engine/codec/cid.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>
#include <vector>

#include "engine/codec/multibase.h"
#include "kernels/base/check.h"
#include "kernels/base/varint.h"

namespace piecework::engine {
namespace {

constexpr uint8_t kSha256Code = 0x12;
constexpr uint8_t kSha256Length = 0x20;
constexpr size_t kCidV0TextBytes = 46;

bool begins_as_v0(ByteSpan source) {
  return source.size() >= 2 && source[0] == kSha256Code && source[1] == kSha256Length;
}

tl::unexpected<Error> corrupt(std::string message) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource, std::move(message));
}

tl::unexpected<Error> invalid_text(std::string_view text, std::string_view what) {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              fmt::format("not a CID: \"{}\": {}", printable(text.substr(0, 128)), what));
}

}  // namespace

Result<CidView> decode_cid_prefix(ByteSpan source) {
  if (begins_as_v0(source)) {
    if (source.size() < kCidV0Bytes) {
      return corrupt(fmt::format("CID: a CIDv0 takes {} bytes, {} are left", kCidV0Bytes, source.size()));
    }
    return CidView{source.first(kCidV0Bytes), 0, kCodecDagPb, {kHashSha2_256, source.subspan(2, kDigestBytes)}};
  }
  const DecodedVarint version = decode_varint(source);
  if (version.status != VarintStatus::kOk) return corrupt("CID: bad varint of the version");
  if (version.value != 1) return corrupt(fmt::format("CID: version {}, expected 1", version.value));
  const DecodedVarint codec = decode_varint(source.subspan(version.length_bytes));
  if (codec.status != VarintStatus::kOk) return corrupt("CID: bad varint of the codec");
  const size_t prefix_bytes = version.length_bytes + codec.length_bytes;
  PIECEWORK_ASSIGN(const DecodedMultihash hash, decode_multihash_prefix(source.subspan(prefix_bytes)));
  return CidView{source.first(prefix_bytes + hash.length_bytes), 1, codec.value, hash.multihash};
}

Result<CidView> decode_cid(ByteSpan source) {
  PIECEWORK_ASSIGN(const CidView cid, decode_cid_prefix(source));
  if (cid.bytes.size() != source.size()) {
    return corrupt(fmt::format("CID: {} bytes follow its end", source.size() - cid.bytes.size()));
  }
  return cid;
}

Cid::Cid(const CidView& view) { assign(view.bytes); }

Cid::Cid(const Cid& other) { assign(other.bytes()); }

// A moved-from Cid is empty, never a length without its bytes.
Cid::Cid(Cid&& other) noexcept
    : length_bytes_(std::exchange(other.length_bytes_, 0)), inline_(other.inline_), large_(std::move(other.large_)) {}

Cid& Cid::operator=(const Cid& other) {
  if (this != &other) assign(other.bytes());
  return *this;
}

Cid& Cid::operator=(Cid&& other) noexcept {
  if (this == &other) return *this;
  length_bytes_ = std::exchange(other.length_bytes_, 0);
  inline_ = other.inline_;
  large_ = std::move(other.large_);
  return *this;
}

void Cid::assign(ByteSpan bytes) {
  PIECEWORK_CHECK(bytes.size() <= kCidBytesMax);
  large_.reset(bytes.size() > kInlineBytes ? new uint8_t[bytes.size()] : nullptr);
  if (!bytes.empty()) std::memcpy(large_ ? large_.get() : inline_.data(), bytes.data(), bytes.size());
  length_bytes_ = static_cast<uint8_t>(bytes.size());
}

CidView Cid::view() const {
  Result<CidView> view = decode_cid(bytes());
  PIECEWORK_CHECK(view.has_value());
  return *view;
}

std::string Cid::text() const { return empty() ? std::string() : cid_text(bytes()); }

uint8_t* encode_sha256_cid(uint8_t* target, int cid_version, uint64_t codec, const Digest32& digest) {
  PIECEWORK_DCHECK(cid_version == 1 || (cid_version == 0 && codec == kCodecDagPb));
  PIECEWORK_DCHECK(codec < 0x80);
  if (cid_version == 1) {
    *target++ = 1;
    *target++ = static_cast<uint8_t>(codec);
  }
  *target++ = kSha256Code;
  *target++ = kSha256Length;
  std::memcpy(target, digest.data(), digest.size());
  return target + digest.size();
}

Cid sha256_cid(int cid_version, uint64_t codec, const Digest32& digest) {
  std::array<uint8_t, kCidV1Sha256Bytes> bytes;
  const uint8_t* end = encode_sha256_cid(bytes.data(), cid_version, codec, digest);
  CidView view;
  view.bytes = {bytes.data(), end};
  return Cid(view);
}

std::string cid_text(ByteSpan cid_bytes) {
  if (begins_as_v0(cid_bytes)) return encode_base58btc(cid_bytes);
  std::string text = "b";
  append_base32_lower(text, cid_bytes);
  return text;
}

Result<Cid> parse_cid(std::string_view text) {
  const bool is_v0 = text.size() == kCidV0TextBytes && text.starts_with("Qm");
  Result<std::vector<uint8_t>> bytes = is_v0 ? decode_base58btc(text) : decode_multibase(text);
  if (!bytes) return invalid_text(text, bytes.error().message);
  Result<CidView> view = decode_cid(*bytes);
  if (!view) return invalid_text(text, view.error().message);
  if ((view->version == 0) != is_v0) {
    return invalid_text(text, "a CIDv0 is written in base58btc without a multibase prefix");
  }
  return Cid(*view);
}

}  // namespace piecework::engine
