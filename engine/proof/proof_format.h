// The encoding of proofs, byte by byte as in engine/FORMATS.md ("Proofs"). One proof has one encoding.
//
// What a proof says and whether it is true is check_proof.h's.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// Bytes of a file, from `begin` up to and without `end`.
struct ProofRange {
  uint64_t begin_bytes = 0;
  uint64_t end_bytes = UINT64_MAX;

  friend bool operator==(const ProofRange&, const ProofRange&) = default;
};

struct ProofPiece {
  Digest32 root{};
  uint64_t payload_bytes = 0;
  ByteSpan edge_bytes;       // bytes of touched 127-byte groups that no record has
  ByteSpan boundary_hashes;  // 32 bytes each: roots of the subtrees that are not touched
};

// An item: where its CID comes from. With `has_path` `cid` is the root of the piece's CAR, and the item stands at
// base + path below it; without, `cid` is the item's own.
struct ProofClaim {
  bool has_path = false;
  uint64_t piece = 0;
  ByteSpan cid;
  std::vector<std::string_view> path;
};

// A section of a CAR: before | data_bytes of the file | after is its block, and its CID is that of the link that led
// here. `after` is empty where data_bytes is 0.
struct ProofRecord {
  uint64_t piece = 0;
  uint64_t car_offset_bytes = 0;
  ByteSpan before;
  uint64_t data_bytes = 0;
  ByteSpan after;
};

// Points into the bytes that it was decoded from, or into what its maker keeps.
struct Proof {
  std::optional<ProofRange> range;
  std::vector<std::string_view> base;  // path that the data stands at
  std::vector<ProofPiece> pieces;
  std::vector<ProofClaim> claims;
  std::vector<ProofRecord> records;  // in the order in which check_proof comes to them
};

// The last bytes of a proof: the first of the SHA-256 of those before. They tell damage, and prove nothing.
inline constexpr size_t kProofSealBytes = 8;

std::vector<uint8_t> encode_proof(const Proof& proof);
// Appends the seal of `body`.
void seal_proof(std::vector<uint8_t>& body);

// Refuses whatever encode_proof does not write. Memory grows with `bytes` only. Errors: kCorrupt (source).
Result<Proof> decode_proof(ByteSpan bytes);

}  // namespace piecework::engine
