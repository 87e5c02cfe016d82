// Power-of-two bases by shifting bits, bases 58 and 36 by long division; see multibase.h.
#include "engine/codec/multibase.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace piecework::engine {
namespace {

constexpr std::string_view kHexLower = "0123456789abcdef";
constexpr std::string_view kHexUpper = "0123456789ABCDEF";
constexpr std::string_view kBase32Lower = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::string_view kBase32Upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::string_view kBase36Lower = "0123456789abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kBase58Btc = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

using Bytes = std::vector<uint8_t>;

tl::unexpected<Error> invalid(std::string message) {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig, std::move(message));
}

Result<uint8_t> digit_value(std::string_view alphabet, char digit) {
  const size_t value = alphabet.find(digit);
  if (value == std::string_view::npos) {
    return invalid(fmt::format("character '{}' is not of this base", printable({&digit, 1})));
  }
  return static_cast<uint8_t>(value);
}

void append_bits(std::string& target, std::string_view alphabet, unsigned bits_per_digit, ByteSpan source) {
  const uint32_t mask = (1u << bits_per_digit) - 1;
  uint32_t pending = 0;
  unsigned pending_bits = 0;
  target.reserve(target.size() + (source.size() * 8 + bits_per_digit - 1) / bits_per_digit);
  for (const uint8_t byte : source) {
    pending = pending << 8 | byte;
    pending_bits += 8;
    while (pending_bits >= bits_per_digit) {
      pending_bits -= bits_per_digit;
      target.push_back(alphabet[pending >> pending_bits & mask]);
    }
  }
  if (pending_bits > 0) target.push_back(alphabet[pending << (bits_per_digit - pending_bits) & mask]);
}

Result<Bytes> decode_bits(std::string_view text, std::string_view alphabet, unsigned bits_per_digit) {
  Bytes bytes;
  bytes.reserve(text.size() * bits_per_digit / 8);
  uint32_t pending = 0;
  unsigned pending_bits = 0;
  for (const char digit : text) {
    PIECEWORK_ASSIGN(const uint8_t value, digit_value(alphabet, digit));
    pending = (pending << bits_per_digit | value) & 0xFFFF;
    pending_bits += bits_per_digit;
    if (pending_bits >= 8) {
      pending_bits -= 8;
      bytes.push_back(static_cast<uint8_t>(pending >> pending_bits));
    }
  }
  if (pending_bits >= bits_per_digit) return invalid("the last character belongs to no byte");
  if ((pending & ((1u << pending_bits) - 1)) != 0) return invalid("bits after the last byte are not zero");
  return bytes;
}

// Big-endian long division; leading zero bytes become leading zero digits, one for one.
std::string encode_radix(ByteSpan source, std::string_view alphabet) {
  const uint32_t radix = static_cast<uint32_t>(alphabet.size());
  Bytes digits;  // least significant first
  for (const uint8_t byte : source) {
    uint32_t carry = byte;
    for (uint8_t& digit : digits) {
      carry += static_cast<uint32_t>(digit) << 8;
      digit = static_cast<uint8_t>(carry % radix);
      carry /= radix;
    }
    for (; carry > 0; carry /= radix) digits.push_back(static_cast<uint8_t>(carry % radix));
  }
  const auto first_nonzero = std::find_if(source.begin(), source.end(), [](uint8_t byte) { return byte != 0; });
  std::string text(static_cast<size_t>(first_nonzero - source.begin()), alphabet[0]);
  for (size_t i = digits.size(); i > 0; --i) text.push_back(alphabet[digits[i - 1]]);
  return text;
}

Result<Bytes> decode_radix(std::string_view text, std::string_view alphabet) {
  if (text.size() > kMultibaseTextBytesMax) return invalid("text too long");
  const uint32_t radix = static_cast<uint32_t>(alphabet.size());
  Bytes reversed;  // least significant first
  for (const char digit : text) {
    PIECEWORK_ASSIGN(uint32_t carry, digit_value(alphabet, digit));
    for (uint8_t& byte : reversed) {
      carry += byte * radix;
      byte = static_cast<uint8_t>(carry);
      carry >>= 8;
    }
    for (; carry > 0; carry >>= 8) reversed.push_back(static_cast<uint8_t>(carry));
  }
  const size_t leading_zeros = std::min(text.find_first_not_of(alphabet[0]), text.size());
  Bytes bytes(leading_zeros, 0);
  bytes.insert(bytes.end(), reversed.rbegin(), reversed.rend());
  return bytes;
}

}  // namespace

void append_base32_lower(std::string& target, ByteSpan source) { append_bits(target, kBase32Lower, 5, source); }

std::string encode_base32_upper(ByteSpan source) {
  std::string text;
  append_bits(text, kBase32Upper, 5, source);
  return text;
}

std::string encode_base58btc(ByteSpan source) { return encode_radix(source, kBase58Btc); }

Result<std::vector<uint8_t>> decode_base32_upper(std::string_view text) { return decode_bits(text, kBase32Upper, 5); }

Result<std::vector<uint8_t>> decode_base58btc(std::string_view text) { return decode_radix(text, kBase58Btc); }

Result<std::vector<uint8_t>> decode_multibase(std::string_view text) {
  if (text.empty()) return invalid("empty text");
  if (text.size() > kMultibaseTextBytesMax) return invalid("text too long");
  const std::string_view digits = text.substr(1);
  switch (text.front()) {
    case 'b':
      return decode_bits(digits, kBase32Lower, 5);
    case 'B':
      return decode_bits(digits, kBase32Upper, 5);
    case 'z':
      return decode_radix(digits, kBase58Btc);
    case 'f':
      return decode_bits(digits, kHexLower, 4);
    case 'F':
      return decode_bits(digits, kHexUpper, 4);
    case 'k':
      return decode_radix(digits, kBase36Lower);
    case 'u':
      return decode_bits(digits, kBase64Url, 6);
    case 'm':
      return decode_bits(digits, kBase64, 6);
    default:
      return invalid(
          fmt::format("multibase prefix '{}', expected one of b B z f F k u m", printable(text.substr(0, 1))));
  }
}

}  // namespace piecework::engine
