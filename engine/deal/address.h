// Filecoin addresses: bytes and text. Source: Filecoin specification, appendix "Address"; FIP-0048 (f4); deals.md 1.1.
//
//   bytes   protocol u8, payload
//   f0      varint(actor id)                                       text: f0<decimal>
//   f1      blake2b-160 of an uncompressed secp256k1 public key    text: f1<base32(payload, checksum)>
//   f2      20 bytes: an actor's hash                              likewise
//   f3      48 bytes: a BLS public key                             likewise
//   f4      varint(manager's actor id), 0..54 bytes                text: f4<decimal>f<base32(the 0..54 bytes,
//   checksum)>
//
// The checksum is blake2b-32 of the address's bytes; f0 has none. The first letter names the network: f on mainnet, t
// on every other. An address of one network written for another is a mistake that costs money, so text is never read
// without saying which letter is meant (Network::address_prefix).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

enum class AddressProtocol : uint8_t { kId = 0, kSecp256k1 = 1, kActor = 2, kBls = 3, kDelegated = 4 };

// Manager of Ethereum addresses: f410... is f4 with this actor id.
inline constexpr uint64_t kEthereumManagerId = 10;
inline constexpr size_t kSubaddressBytesMax = 54;
inline constexpr uint64_t kActorIdMax = (uint64_t{1} << 63) - 1;

// Thread-compatible. A default-constructed Address is empty and names nobody.
class Address {
 public:
  Address() = default;
  // REQUIRES: actor_id <= kActorIdMax.
  static Address of_actor(uint64_t actor_id);
  // Of an uncompressed public key (04, x, y). REQUIRES: public_key.size() == 65.
  static Address of_secp256k1(ByteSpan public_key);

  // Reads `text`, which must begin with `prefix`, f or t. Errors: kInvalidArgument (side kConfig).
  static Result<Address> parse(std::string_view text, char prefix);
  // Reads an address that fills `bytes`. Errors: kCorrupt.
  static Result<Address> decode(ByteSpan bytes);

  bool empty() const { return bytes_.empty(); }
  ByteSpan bytes() const { return bytes_; }
  // REQUIRES: not empty.
  AddressProtocol protocol() const;
  // The actor of an f0 address, else nothing.
  std::optional<uint64_t> actor_id() const;
  // "" when empty.
  std::string text(char prefix) const;

  friend bool operator==(const Address& a, const Address& b) { return a.bytes_ == b.bytes_; }
  friend std::strong_ordering operator<=>(const Address& a, const Address& b) {
    return as_text(a.bytes_) <=> as_text(b.bytes_);
  }

 private:
  explicit Address(std::vector<uint8_t> bytes) : bytes_(std::move(bytes)) {}

  std::vector<uint8_t> bytes_;
};

}  // namespace piecework::engine
