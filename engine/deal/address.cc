#include "engine/deal/address.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "engine/codec/multibase.h"
#include "engine/deal/sodium.h"
#include "kernels/base/check.h"
#include "kernels/base/varint.h"

namespace piecework::engine {
namespace {

constexpr size_t kHashBytes = 20;
constexpr size_t kBlsKeyBytes = 48;
constexpr size_t kChecksumBytes = 4;

std::array<uint8_t, kChecksumBytes> checksum_of(ByteSpan address) {
  std::array<uint8_t, kChecksumBytes> checksum{};
  blake2b(checksum, address);
  return checksum;
}

void append_varint(std::vector<uint8_t>& target, uint64_t value) {
  uint8_t encoded[kVarintBytesMax];
  target.insert(target.end(), encoded, encode_varint(encoded, value));
}

tl::unexpected<Error> refuse(std::string_view text, std::string_view why) {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              fmt::format("'{}' is no Filecoin address: {}", printable(text), why));
}

// A decimal number as Filecoin prints it: no sign, no leading zero, at most kActorIdMax.
std::optional<uint64_t> parse_actor_id(std::string_view digits) {
  uint64_t id = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  const bool is_whole = error == std::errc() && end == digits.data() + digits.size();
  const bool is_canonical = !digits.empty() && (digits.size() == 1 || digits[0] != '0');
  if (!is_whole || !is_canonical || id > kActorIdMax) return std::nullopt;
  return id;
}

// Splits base32 text into a payload and its checksum, and compares the checksum with that of `prefix` and the payload.
Result<std::vector<uint8_t>> parse_checked(std::string_view whole, std::string_view base32,
                                           const std::vector<uint8_t>& prefix) {
  Result<std::vector<uint8_t>> decoded = decode_multibase("b" + std::string(base32));
  if (!decoded) return refuse(whole, decoded.error().message);
  if (decoded->size() < kChecksumBytes) return refuse(whole, "it is too short");
  const size_t payload_bytes = decoded->size() - kChecksumBytes;
  std::vector<uint8_t> bytes = prefix;
  bytes.insert(bytes.end(), decoded->begin(), decoded->begin() + static_cast<ptrdiff_t>(payload_bytes));
  const std::array<uint8_t, kChecksumBytes> expected = checksum_of(bytes);
  if (as_text(ByteSpan(*decoded).subspan(payload_bytes)) != as_text(expected)) {
    return refuse(whole, "its checksum is wrong, so a character is");
  }
  return bytes;
}

}  // namespace

Address Address::of_actor(uint64_t actor_id) {
  PIECEWORK_CHECK(actor_id <= kActorIdMax);
  std::vector<uint8_t> bytes{static_cast<uint8_t>(AddressProtocol::kId)};
  append_varint(bytes, actor_id);
  return Address(std::move(bytes));
}

Address Address::of_secp256k1(ByteSpan public_key) {
  PIECEWORK_CHECK(public_key.size() == 65);
  std::vector<uint8_t> bytes(1 + kHashBytes, static_cast<uint8_t>(AddressProtocol::kSecp256k1));
  blake2b(MutableByteSpan(bytes).subspan(1), public_key);
  return Address(std::move(bytes));
}

Result<Address> Address::parse(std::string_view text, char prefix_letter) {
  if (text.size() < 3) return refuse(text, "it is too short");
  if (text[0] != prefix_letter) return refuse(text, fmt::format("on this network one begins with '{}'", prefix_letter));
  if (text[1] < '0' || text[1] > '4') return refuse(text, "its second character must be 0 to 4");
  const auto protocol = static_cast<uint8_t>(text[1] - '0');
  const std::string_view rest = text.substr(2);
  if (protocol == static_cast<uint8_t>(AddressProtocol::kId)) {
    const std::optional<uint64_t> id = parse_actor_id(rest);
    if (!id) return refuse(text, "an actor id is a decimal number below 2^63, without leading zeros");
    return of_actor(*id);
  }
  std::vector<uint8_t> prefix{protocol};
  std::string_view base32 = rest;
  if (protocol == static_cast<uint8_t>(AddressProtocol::kDelegated)) {
    const size_t separator = rest.find('f');
    if (separator == std::string_view::npos) return refuse(text, "f4 has a manager's id, 'f' and a subaddress");
    const std::optional<uint64_t> manager_id = parse_actor_id(rest.substr(0, separator));
    if (!manager_id) return refuse(text, "the manager's id is no decimal number");
    append_varint(prefix, *manager_id);
    base32 = rest.substr(separator + 1);
  }
  PIECEWORK_ASSIGN(const std::vector<uint8_t> bytes, parse_checked(text, base32, prefix));
  const Result<Address> address = decode(bytes);
  if (!address) return refuse(text, address.error().message);
  return *address;
}

Result<Address> Address::decode(ByteSpan bytes) {
  const auto corrupt = [](std::string_view what) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kSource, fmt::format("an address {}", what));
  };
  if (bytes.size() < 2) return corrupt("of less than two bytes");
  const ByteSpan payload = bytes.subspan(1);
  switch (bytes[0]) {
    case static_cast<uint8_t>(AddressProtocol::kId): {
      const DecodedVarint id = decode_varint(payload);
      if (id.status != VarintStatus::kOk || id.length_bytes != payload.size()) return corrupt("f0 without a whole id");
      break;
    }
    case static_cast<uint8_t>(AddressProtocol::kSecp256k1):
    case static_cast<uint8_t>(AddressProtocol::kActor):
      if (payload.size() != kHashBytes) return corrupt(fmt::format("with {} bytes, expected 20", payload.size()));
      break;
    case static_cast<uint8_t>(AddressProtocol::kBls):
      if (payload.size() != kBlsKeyBytes) return corrupt(fmt::format("with {} bytes, expected 48", payload.size()));
      break;
    case static_cast<uint8_t>(AddressProtocol::kDelegated): {
      const DecodedVarint manager = decode_varint(payload);
      if (manager.status != VarintStatus::kOk) return corrupt("f4 without a whole manager's id");
      if (payload.size() - manager.length_bytes > kSubaddressBytesMax) return corrupt("f4 of more than 54 bytes");
      break;
    }
    default:
      return corrupt(fmt::format("of protocol {}", bytes[0]));
  }
  return Address(std::vector<uint8_t>(bytes.begin(), bytes.end()));
}

AddressProtocol Address::protocol() const {
  PIECEWORK_CHECK(!empty());
  return static_cast<AddressProtocol>(bytes_[0]);
}

std::optional<uint64_t> Address::actor_id() const {
  if (empty() || protocol() != AddressProtocol::kId) return std::nullopt;
  return decode_varint(bytes().subspan(1)).value;
}

std::string Address::text(char prefix) const {
  if (empty()) return "";
  std::string text = fmt::format("{}{}", prefix, bytes_[0]);
  if (const std::optional<uint64_t> id = actor_id()) return text + std::to_string(*id);
  std::vector<uint8_t> checked(bytes_.begin() + 1, bytes_.end());
  if (protocol() == AddressProtocol::kDelegated) {
    const DecodedVarint manager = decode_varint(checked);
    text += fmt::format("{}f", manager.value);
    checked.erase(checked.begin(), checked.begin() + static_cast<ptrdiff_t>(manager.length_bytes));
  }
  const std::array<uint8_t, kChecksumBytes> checksum = checksum_of(bytes_);
  checked.insert(checked.end(), checksum.begin(), checksum.end());
  append_base32_lower(text, checked);
  return text;
}

}  // namespace piecework::engine
