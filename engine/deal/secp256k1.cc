#include "engine/deal/secp256k1.h"

#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include <memory>

#include "kernels/base/check.h"

namespace piecework::engine {
namespace {

struct DestroyContext {
  void operator()(secp256k1_context* context) const { secp256k1_context_destroy(context); }
};
using Context = std::unique_ptr<secp256k1_context, DestroyContext>;

Context make_context() {
  Context context(secp256k1_context_create(SECP256K1_CONTEXT_NONE));
  Digest32 seed{};
  fill_random(seed);
  PIECEWORK_CHECK(context != nullptr && secp256k1_context_randomize(context.get(), seed.data()) == 1);
  return context;
}

PublicKey serialise(const secp256k1_context* context, const secp256k1_pubkey& parsed) {
  PublicKey key{};
  size_t key_bytes = key.size();
  secp256k1_ec_pubkey_serialize(context, key.data(), &key_bytes, &parsed, SECP256K1_EC_UNCOMPRESSED);
  PIECEWORK_CHECK(key_bytes == key.size());
  return key;
}

}  // namespace

std::optional<PublicKey> secp256k1_public_key(const SecretKey& key) {
  const Context context = make_context();
  secp256k1_pubkey parsed;
  if (secp256k1_ec_pubkey_create(context.get(), &parsed, key.bytes().data()) != 1) return std::nullopt;
  return serialise(context.get(), parsed);
}

RecoverableSignature secp256k1_sign(const SecretKey& key, const Digest32& digest) {
  const Context context = make_context();
  secp256k1_ecdsa_recoverable_signature parsed;
  PIECEWORK_CHECK(secp256k1_ecdsa_sign_recoverable(context.get(), &parsed, digest.data(), key.bytes().data(), nullptr,
                                                   nullptr) == 1);
  RecoverableSignature signature{};
  int recovery_id = 0;
  secp256k1_ecdsa_recoverable_signature_serialize_compact(context.get(), signature.data(), &recovery_id, &parsed);
  signature.back() = static_cast<uint8_t>(recovery_id);
  return signature;
}

std::optional<PublicKey> secp256k1_recover(const RecoverableSignature& signature, const Digest32& digest) {
  if (signature.back() > 3) return std::nullopt;
  const Context context = make_context();
  secp256k1_ecdsa_recoverable_signature parsed;
  if (secp256k1_ecdsa_recoverable_signature_parse_compact(context.get(), &parsed, signature.data(), signature.back()) !=
      1) {
    return std::nullopt;
  }
  secp256k1_ecdsa_signature plain;
  secp256k1_ecdsa_recoverable_signature_convert(context.get(), &plain, &parsed);
  if (secp256k1_ecdsa_signature_normalize(context.get(), nullptr, &plain) == 1) return std::nullopt;
  secp256k1_pubkey key;
  if (secp256k1_ecdsa_recover(context.get(), &key, &parsed, digest.data()) != 1) return std::nullopt;
  return serialise(context.get(), key);
}

}  // namespace piecework::engine
