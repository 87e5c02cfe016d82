// Piece CIDs, versions 1 and 2. Source: FRC-0069, formats.md 8.
//
//   v1   01 81e203 9220 20 <32-byte root>                          "baga6ea4seaq..."; says nothing about the size
//   v2   01 55 9120 <len> varint(padding) u8(height) <32 bytes>    "bafkzcib..."; payload = (32 << height)/128*127 -
//   padding
//
// Payloads of 0..64 bytes have v2 CIDs by FRC-0069, though Go's go-fil-commcid refuses them; they are accepted here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

std::string piece_cid_v1_text(const Digest32& root);
// REQUIRES: payload_bytes <= kPayloadBytesMax (engine/piece/piece_size.h).
std::string piece_cid_v2_text(const Digest32& root, uint64_t payload_bytes);

struct PieceCid {
  int version = 1;
  Digest32 root{};
  // Version 2 only, else 0.
  unsigned height = 0;  // levels above the 32-byte leaves
  uint64_t padded_bytes = 0;
  uint64_t payload_bytes = 0;
};

// A piece CID of either version from text in any accepted multibase. Refuses a v2 CID whose payload belongs in a
// smaller tree, and a root that is no 254-bit node. Errors: kInvalidArgument (side kConfig).
Result<PieceCid> parse_piece_cid(std::string_view text);

}  // namespace piecework::engine
