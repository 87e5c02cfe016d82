// Decoding and encoding of multihashes; see multihash.h.
#include "engine/codec/multihash.h"

#include <fmt/format.h>

#include <cstring>

#include "kernels/base/varint.h"

namespace piecework::engine {
namespace {

// Output lengths of hash functions with exactly one; 0 for any length (identity, trees, functions not known here).
size_t fixed_digest_bytes(uint64_t code) {
  switch (code) {
    case kHashSha1:
      return 20;
    case kHashSha2_256:
    case kHashPieceTreeV1:
    case kHashBlake2b256:
      return 32;
    case kHashSha2_512:
      return 64;
    default:
      return 0;
  }
}

tl::unexpected<Error> corrupt(std::string message) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource, std::move(message));
}

}  // namespace

Result<DecodedMultihash> decode_multihash_prefix(ByteSpan source) {
  const DecodedVarint code = decode_varint(source);
  if (code.status != VarintStatus::kOk) return corrupt("multihash: bad varint of the hash function");
  const DecodedVarint length = decode_varint(source.subspan(code.length_bytes));
  if (length.status != VarintStatus::kOk) return corrupt("multihash: bad varint of the digest length");
  const ByteSpan rest = source.subspan(code.length_bytes + length.length_bytes);
  if (length.value > kMultihashDigestBytesMax) {
    return corrupt(
        fmt::format("multihash: digest of {} bytes, at most {} are accepted", length.value, kMultihashDigestBytesMax));
  }
  if (length.value > rest.size()) {
    return corrupt(fmt::format("multihash: digest of {} bytes, {} bytes follow", length.value, rest.size()));
  }
  const size_t expected_bytes = fixed_digest_bytes(code.value);
  if (expected_bytes != 0 && length.value != expected_bytes) {
    return corrupt(fmt::format("multihash: {} digest of {} bytes, expected {}", hash_name(code.value), length.value,
                               expected_bytes));
  }
  const size_t digest_bytes = static_cast<size_t>(length.value);
  return DecodedMultihash{{code.value, rest.first(digest_bytes)},
                          code.length_bytes + length.length_bytes + digest_bytes};
}

uint8_t* encode_multihash(uint8_t* target, uint64_t code, ByteSpan digest) {
  target = encode_varint(target, code);
  target = encode_varint(target, digest.size());
  if (!digest.empty()) std::memcpy(target, digest.data(), digest.size());
  return target + digest.size();
}

size_t multihash_bytes(uint64_t code, size_t digest_bytes) {
  return varint_bytes(code) + varint_bytes(digest_bytes) + digest_bytes;
}

std::string_view hash_name(uint64_t code) {
  switch (code) {
    case kHashIdentity:
      return "identity";
    case kHashSha1:
      return "sha1";
    case kHashSha2_256:
      return "sha2-256";
    case kHashSha2_512:
      return "sha2-512";
    case kHashBlake3:
      return "blake3";
    case kHashBlake2b256:
      return "blake2b-256";
    case kHashPieceTreeV1:
      return "sha2-256-trunc254-padded";
    case kHashPieceTreeV2:
      return "fr32-sha2-256-trunc254-padded-binary-tree";
    default:
      return "unknown";
  }
}

}  // namespace piecework::engine
