// Amounts in CBOR, as go-state-types writes a big.Int: a byte string, empty for 0, else a sign byte (00, or 01 where it
// is negative) and the value in big-endian without leading zeros.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/deal/atto_fil.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// The content of the byte string.
std::vector<uint8_t> encode_big_int(AttoFil amount);
// Errors: kCorrupt where it is negative, has leading zeros, or is more FIL than can exist.
Result<AttoFil> decode_big_int(ByteSpan content);

}  // namespace piecework::engine
