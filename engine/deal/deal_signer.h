// Signing what a deal needs signed: proposals, the header of MK20 requests, MK12 status queries. Source: lotus
// lib/sigs, curio market/mk20/auth.go, deals.md 1.1 to 1.3.
//
// A signer takes the structure, never bytes: it checks that it is one of ours with a client of ours, encodes it itself,
// and checks what the key's keeper gave back by recovering the address from the signature. So neither a caller nor an
// external signer can turn it into a machine that signs anything.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/deal/address.h"
#include "engine/deal/deal_key.h"
#include "engine/deal/deal_proposal.h"
#include "engine/deal/secp256k1.h"
#include "engine/deal/sodium.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// As stored in a signed proposal: one byte of signature type, then the signature.
inline constexpr uint8_t kSignatureTypeSecp256k1 = 1;
inline constexpr size_t kTypedSignatureBytes = 1 + kRecoverableSignatureBytes;
using TypedSignature = std::vector<uint8_t>;

// What an MK20 request is signed by. Replays for some minutes are possible for the same path: TLS only.
struct Mk20Request {
  std::string method;       // upper case
  std::string path;         // as sent, escaped, without query: /market/mk20/...
  int64_t unix_time_s = 0;  // cut to the minute
};

// The 32 bytes that are signed (as a message, so once more through BLAKE2b-256).
Digest32 mk20_auth_digest(const Address& client, const Mk20Request& request);
// "2026-08-20T12:34:00Z". REQUIRES: 0 <= unix_time_s, before the year 10000.
std::string rfc3339_minute(int64_t unix_time_s);

// Whether `signature` over `message` was made by the key of `signer`, an f1 address.
bool is_signed_by(const Address& signer, ByteSpan message, ByteSpan signature);

// Thread-compatible.
class DealSigner {
 public:
  virtual ~DealSigner() = default;

  // The f1 address whose key signs.
  const Address& address() const { return address_; }

  // Errors: kInvalidArgument (config) where check_deal_proposal says no or the client is neither address() nor
  // `client_id`; kConflict (config) where what came back is not a signature of that key; those of the key's keeper.
  // `client_id` is the f0 address of the same account, empty where it is not known.
  Result<SignedProposal> sign(const DealProposal& proposal, const Address& client_id);
  // The value of the Authorization header: "CurioAuth secp256k1:<address>:<signature>", both in base64.
  Result<std::string> sign(const Mk20Request& request);
  Result<TypedSignature> sign_status_query(const DealUuid& uuid);

 protected:
  explicit DealSigner(Address address) : address_(std::move(address)) {}

 private:
  // A typed signature over `message`, which is what lotus' WalletSign takes.
  virtual Result<TypedSignature> sign_message(ByteSpan message) = 0;
  Result<TypedSignature> sign_and_check(ByteSpan message);

  Address address_;
};

// Signs with a key in memory. Thread-compatible.
class KeySigner final : public DealSigner {
 public:
  // Errors: kInvalidArgument (config) where `key` is no secp256k1 key.
  static Result<KeySigner> make(SecretKey key);

 private:
  KeySigner(Address address, SecretKey key) : DealSigner(std::move(address)), key_(std::move(key)) {}
  Result<TypedSignature> sign_message(ByteSpan message) override;

  SecretKey key_;
};

// A key as `lotus wallet export` writes it: hexadecimal text of {"Type":"secp256k1","PrivateKey":"<base64>"}, and
// nothing else but white space around it. Errors: kInvalidArgument (config); no message quotes any of the text.
Result<SecretKey> parse_lotus_key(std::string_view text);
// Reads a file of that form, which must be a regular file of this user with no permission for anybody else.
// Errors: kPermission, kInvalidArgument, those of opening (config).
Result<SecretKey> read_key_file(const std::string& path);

}  // namespace piecework::engine
