#include "engine/deal/deal_key.h"

#include <fmt/format.h>

#include "engine/deal/sodium.h"
#include "kernels/base/check.h"
#include "kernels/base/text.h"

namespace piecework::engine {
namespace {

constexpr std::string_view kCrockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr size_t kUlidTextBytes = 26;
constexpr size_t kUlidTimeBytes = 6;
constexpr size_t kUuidTextBytes = 36;

bool has_dash_before(size_t byte_index) {
  return byte_index == 4 || byte_index == 6 || byte_index == 8 || byte_index == 10;
}

int hex_digit(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  return -1;
}

tl::unexpected<Error> refuse(std::string_view text, std::string_view what) {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig, fmt::format("'{}' is no {}", printable(text), what));
}

}  // namespace

DealUuid make_deal_uuid() {
  DealUuid uuid{};
  fill_random(uuid);
  uuid[6] = static_cast<uint8_t>((uuid[6] & 0x0F) | 0x40);  // version 4
  uuid[8] = static_cast<uint8_t>((uuid[8] & 0x3F) | 0x80);  // variant of RFC 9562
  return uuid;
}

DealUlid make_deal_ulid(int64_t unix_ms) {
  PIECEWORK_CHECK(unix_ms >= 0 && unix_ms < int64_t{1} << 48);
  DealUlid ulid{};
  fill_random(ulid);
  for (size_t i = 0; i < kUlidTimeBytes; ++i) {
    ulid[i] = static_cast<uint8_t>(unix_ms >> (8 * (kUlidTimeBytes - 1 - i)));
  }
  return ulid;
}

std::string uuid_text(const DealUuid& uuid) {
  std::string text;
  for (size_t i = 0; i < uuid.size(); ++i) {
    if (has_dash_before(i)) text.push_back('-');
    text += to_hex(ByteSpan(uuid).subspan(i, 1));
  }
  return text;
}

std::string ulid_text(const DealUlid& ulid) {
  // 128 bits as 26 digits of 5 bits, the first of which has 3.
  std::string text(kUlidTextBytes, '0');
  unsigned __int128 rest = 0;
  for (const uint8_t byte : ulid) rest = rest << 8 | byte;
  for (size_t i = kUlidTextBytes; i-- > 0; rest >>= 5) text[i] = kCrockford[static_cast<size_t>(rest & 31)];
  return text;
}

Result<DealUuid> parse_deal_uuid(std::string_view text) {
  constexpr std::string_view kWhat = "UUID (8-4-4-4-12 lower-case hexadecimal digits)";
  if (text.size() != kUuidTextBytes) return refuse(text, kWhat);
  DealUuid uuid{};
  size_t at = 0;
  for (size_t i = 0; i < uuid.size(); ++i) {
    if (has_dash_before(i) && text[at++] != '-') return refuse(text, kWhat);
    const int high = hex_digit(text[at]);
    const int low = hex_digit(text[at + 1]);
    if (high < 0 || low < 0) return refuse(text, kWhat);
    uuid[i] = static_cast<uint8_t>(high << 4 | low);
    at += 2;
  }
  return uuid;
}

Result<DealUlid> parse_deal_ulid(std::string_view text) {
  constexpr std::string_view kWhat = "ULID (26 letters of Crockford's base32, upper case)";
  if (text.size() != kUlidTextBytes || text[0] > '7') return refuse(text, kWhat);
  unsigned __int128 value = 0;
  for (const char letter : text) {
    const size_t digit = kCrockford.find(letter);
    if (digit == std::string_view::npos) return refuse(text, kWhat);
    value = value << 5 | digit;
  }
  DealUlid ulid{};
  for (size_t i = ulid.size(); i-- > 0; value >>= 8) ulid[i] = static_cast<uint8_t>(value);
  return ulid;
}

}  // namespace piecework::engine
