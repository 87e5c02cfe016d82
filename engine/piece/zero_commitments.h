// Commitments of all-zero subtrees: Z0 = 32 zero bytes, Z(i+1) = node(Zi, Zi). Source: formats.md 8.
//
// What lies after the end of a payload is zero, so its subtrees are looked up here and never hashed.
#pragma once

#include "engine/piece/piece_size.h"
#include "kernels/base/bytes.h"

namespace piecework::engine {

// The root of a subtree of `height` levels above the leaves whose leaves are all zero. REQUIRES: height <= 63.
// The table is made on the first call; the reference stays valid. Safe for concurrent use.
const Digest32& zero_commitment(unsigned height);

}  // namespace piecework::engine
