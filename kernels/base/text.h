// Text made of bytes that somebody else chose: names in messages, on terminals and in JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kernels/base/bytes.h"

namespace piecework {

// `text` with control bytes and bytes that are not UTF-8 escaped as \xNN: safe for a terminal and for messages.
std::string printable(std::string_view text);

// Well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
bool is_utf8(std::string_view text);

// RFC 4648 base64 with padding.
std::string base64(ByteSpan bytes);
// And back; none where `text` is not what base64() gives for any bytes.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace piecework
