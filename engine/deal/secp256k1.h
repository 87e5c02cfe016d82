// libsecp256k1, named in secp256k1.cc alone: recoverable ECDSA as Filecoin signs with it (signature type 1).
//
//   signature   R (32), S (32), V (1: 0..3)        over BLAKE2b-256 of the message
//
// Deterministic (RFC 6979) and with low S, so the same message and key give the same bytes as every other
// implementation. Contexts are made for each call and randomised against side channels.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "engine/deal/sodium.h"
#include "kernels/base/bytes.h"

namespace piecework::engine {

inline constexpr size_t kPublicKeyBytes = 65;  // uncompressed: 04, x, y
inline constexpr size_t kRecoverableSignatureBytes = 65;
using PublicKey = std::array<uint8_t, kPublicKeyBytes>;
using RecoverableSignature = std::array<uint8_t, kRecoverableSignatureBytes>;

// None where `key` is no secp256k1 key: zero, or not below the group's order.
std::optional<PublicKey> secp256k1_public_key(const SecretKey& key);
// REQUIRES: `key` has a public key.
RecoverableSignature secp256k1_sign(const SecretKey& key, const Digest32& digest);
// The key that made `signature` over `digest`; none where no key did, or S is high (what the chain's code takes, but
// nobody whose signatures count here makes).
std::optional<PublicKey> secp256k1_recover(const RecoverableSignature& signature, const Digest32& digest);

}  // namespace piecework::engine
