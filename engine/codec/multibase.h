// Multibase text: one prefix character, then the bytes in that base. Source: multiformats/multibase, RFC 4648.
//
// Decoding is strict: no padding, no characters outside the alphabet, bits that carry nothing must be zero; so every
// byte string has one text per base. Text longer than 1,024 characters is refused: base conversion (58, 36) is
// quadratic.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

inline constexpr size_t kMultibaseTextBytesMax = 1024;

// Appends RFC 4648 base32 in lower case, without padding and without the prefix "b".
void append_base32_lower(std::string& target, ByteSpan source);
// RFC 4648 base32 in upper case, without padding: the names of flatfs.
std::string encode_base32_upper(ByteSpan source);
std::string encode_base58btc(ByteSpan source);

// Without a prefix. Errors: kInvalidArgument.
Result<std::vector<uint8_t>> decode_base32_upper(std::string_view text);
Result<std::vector<uint8_t>> decode_base58btc(std::string_view text);

// With a prefix: b, B (base32), z (base58btc), f, F (hexadecimal), k (base36), u (base64url), m (base64).
// Errors: kInvalidArgument.
Result<std::vector<uint8_t>> decode_multibase(std::string_view text);

}  // namespace piecework::engine
