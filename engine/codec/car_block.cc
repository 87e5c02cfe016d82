// Splitting sections and checking digests; see car_block.h.
#include "engine/codec/car_block.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

Status compare(const CidView& cid, ByteSpan actual) {
  if (std::ranges::equal(cid.multihash.digest, actual)) return {};
  return tl::unexpected<Error>(digest_mismatch(cid, actual));
}

}  // namespace

Error digest_mismatch(const CidView& cid, ByteSpan actual) {
  return Error{ErrorCode::kCorrupt,
               ErrorSide::kSource,
               0,
               fmt::format("block {}: its data has the {} digest {}, expected {}", cid_text(cid.bytes),
                           hash_name(cid.multihash.code), to_hex(actual), to_hex(cid.multihash.digest)),
               {}};
}

Result<CarBlock> decode_car_block(ByteSpan section) {
  PIECEWORK_ASSIGN(const CidView cid, decode_cid_prefix(section));
  return CarBlock{cid, section.subspan(cid.bytes.size())};
}

Status check_block_digest(const CidView& cid, ByteSpan data) {
  switch (cid.multihash.code) {
    case kHashIdentity:
      return compare(cid, data);
    case kHashSha2_256:
      return compare(cid, kernels::sha256(data));
    case kHashSha1: {
      std::array<uint8_t, SHA_DIGEST_LENGTH> digest;
      SHA1(data.data(), data.size(), digest.data());
      return compare(cid, digest);
    }
    case kHashSha2_512: {
      std::array<uint8_t, SHA512_DIGEST_LENGTH> digest;
      SHA512(data.data(), data.size(), digest.data());
      return compare(cid, digest);
    }
    default:
      return fail(ErrorCode::kUnsupported, ErrorSide::kSource,
                  fmt::format("block {}: hash function {} ({:#x}) cannot be checked here", cid_text(cid.bytes),
                              hash_name(cid.multihash.code), cid.multihash.code));
  }
}

}  // namespace piecework::engine
