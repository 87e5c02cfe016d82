// The keys under which a provider files a deal. The client chooses them, so a deal has its key before the first byte is
// sent: a UUID (RFC 9562, version 4) for MK12, a ULID (ulid/spec) for MK20.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

using DealUuid = std::array<uint8_t, 16>;
using DealUlid = std::array<uint8_t, 16>;  // 48 bits of milliseconds since 1970, 80 random bits

DealUuid make_deal_uuid();
// REQUIRES: 0 <= unix_ms < 2^48.
DealUlid make_deal_ulid(int64_t unix_ms);

// "6ba7b810-9dad-41d1-80b4-00c04fd430c8" (lower case) and "01ARZ3NDEKTSV4RRFFQ69G5FAV".
std::string uuid_text(const DealUuid& uuid);
std::string ulid_text(const DealUlid& ulid);

// Just the text that the functions above give. Errors: kInvalidArgument (side kConfig).
Result<DealUuid> parse_deal_uuid(std::string_view text);
Result<DealUlid> parse_deal_ulid(std::string_view text);

}  // namespace piecework::engine
