// Multihashes: varint(code) varint(digest length) digest. Source: multiformats/multihash, formats.md 1.
//
// Decoding is strict: minimal varints, a digest of at most 128 bytes (the limit of boxo/verifcid) and, for the
// functions known here, exactly the length of the function's output; a truncated sha2-256 is no proof of 256 bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

inline constexpr uint64_t kHashIdentity = 0x00;
inline constexpr uint64_t kHashSha1 = 0x11;
inline constexpr uint64_t kHashSha2_256 = 0x12;
inline constexpr uint64_t kHashSha2_512 = 0x13;
inline constexpr uint64_t kHashBlake3 = 0x1e;
inline constexpr uint64_t kHashMurmur3X64_64 = 0x22;  // the hash of HAMT directories only, never of a CID
inline constexpr uint64_t kHashPieceTreeV2 = 0x1011;  // fr32-sha2-256-trunc254-padded-binary-tree (FRC-0069)
inline constexpr uint64_t kHashPieceTreeV1 = 0x1012;  // sha2-256-trunc254-padded
inline constexpr uint64_t kHashBlake2b256 = 0xb220;

inline constexpr size_t kMultihashDigestBytesMax = 128;

// A multihash where it stands; valid as long as the bytes it was decoded from.
struct Multihash {
  uint64_t code = 0;
  ByteSpan digest;
};

struct DecodedMultihash {
  Multihash multihash;
  size_t length_bytes = 0;  // of the whole multihash
};

// Decodes the multihash at the start of `source`; bytes may follow it. Errors: kCorrupt.
Result<DecodedMultihash> decode_multihash_prefix(ByteSpan source);

// Writes varint(code) varint(length) digest (room for multihash_bytes) and returns the first byte after it.
uint8_t* encode_multihash(uint8_t* target, uint64_t code, ByteSpan digest);
size_t multihash_bytes(uint64_t code, size_t digest_bytes);

// "sha2-256" and so on; "unknown" for codes not listed above.
std::string_view hash_name(uint64_t code);

}  // namespace piecework::engine
