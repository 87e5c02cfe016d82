// MurmurHash3 x64-128 with seed 0, of which the first half is used: the hash of HAMT directories (formats.md 6).
// Not for hash tables over hostile input: colliding names can be computed.
#pragma once

#include <cstdint>
#include <string_view>

namespace piecework::engine {

// h1 of MurmurHash3 x64-128. Read big-endian, byte i of it selects the bucket at HAMT level i (fanout 256).
uint64_t murmur3_x64_64(std::string_view key);

}  // namespace piecework::engine
