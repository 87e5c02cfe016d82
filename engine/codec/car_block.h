// A section of a CAR taken apart: its CID and its data, and whether the one names the other. Source: formats.md 1
// and 7. Framing is io/car_reader.h.
#pragma once

#include <cstddef>

#include "engine/codec/cid.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// Points into the section.
struct CarBlock {
  CidView cid;
  ByteSpan data;
};

// Splits a section. Errors: kCorrupt.
Result<CarBlock> decode_car_block(ByteSpan section);

// Whether `data` is what `cid` names. Knows identity, sha1, sha2-256 and sha2-512.
// Errors: kCorrupt with the digest that the data has; kUnsupported for other hash functions, which cannot be checked.
Status check_block_digest(const CidView& cid, ByteSpan data);

// The error for data whose digest is not that of its CID; `actual` is the data's. For callers that hash in batches.
Error digest_mismatch(const CidView& cid, ByteSpan actual);

}  // namespace piecework::engine
