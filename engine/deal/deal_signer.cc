#include "engine/deal/deal_signer.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "kernels/base/check.h"
#include "kernels/base/text.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

constexpr int64_t kSecondsPerMinute = 60;
constexpr int64_t kSecondsPerDay = 86'400;
constexpr int64_t kYear10000_s = 253'402'300'800;

struct CivilDate {
  int64_t year;
  unsigned month;
  unsigned day;
};

// Days since 1970-01-01 in the proleptic Gregorian calendar, counted in eras of 400 years that begin on 1 March.
CivilDate civil_date(int64_t days) {
  days += 719'468;
  const int64_t era = days / 146'097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146'097);
  const unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned march_month = (5 * day_of_year + 2) / 153;
  const unsigned month = march_month < 10 ? march_month + 3 : march_month - 9;
  const unsigned day = day_of_year - (153 * march_month + 2) / 5 + 1;
  return {era * 400 + year_of_era + (month <= 2 ? 1 : 0), month, day};
}

bool is_plain_path(std::string_view path) {
  const auto is_plain = [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') ||
           std::string_view("/-._~%").find(letter) != std::string_view::npos;
  };
  return path.starts_with("/market/mk20/") && std::ranges::all_of(path, is_plain);
}

}  // namespace

std::string rfc3339_minute(int64_t unix_time_s) {
  PIECEWORK_CHECK(unix_time_s >= 0 && unix_time_s < kYear10000_s);
  const CivilDate date = civil_date(unix_time_s / kSecondsPerDay);
  const int64_t minute_of_day = unix_time_s % kSecondsPerDay / kSecondsPerMinute;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:00Z", date.year, date.month, date.day, minute_of_day / 60,
                     minute_of_day % 60);
}

Digest32 mk20_auth_digest(const Address& client, const Mk20Request& request) {
  kernels::Sha256 digest;
  digest.append(client.bytes());
  digest.append(as_bytes(request.method));
  digest.append(as_bytes(request.path));
  digest.append(as_bytes(rfc3339_minute(request.unix_time_s)));
  return digest.finish();
}

bool is_signed_by(const Address& signer, ByteSpan message, ByteSpan signature) {
  if (signature.size() != kTypedSignatureBytes || signature[0] != kSignatureTypeSecp256k1) return false;
  RecoverableSignature recoverable{};
  std::ranges::copy(signature.subspan(1), recoverable.begin());
  const std::optional<PublicKey> key = secp256k1_recover(recoverable, blake2b_256(message));
  return key && Address::of_secp256k1(*key) == signer;
}

Result<TypedSignature> DealSigner::sign_and_check(ByteSpan message) {
  PIECEWORK_ASSIGN(TypedSignature signature, sign_message(message));
  if (!is_signed_by(address_, message, signature)) {
    return fail(ErrorCode::kConflict, ErrorSide::kConfig,
                "the signer gave back what is no signature of the wallet's key over what was asked for; nothing was "
                "sent: check which key it uses");
  }
  return signature;
}

Result<SignedProposal> DealSigner::sign(const DealProposal& proposal, const Address& client_id) {
  PIECEWORK_TRY(check_deal_proposal(proposal));
  const bool is_ours = proposal.client == address_ || (!client_id.empty() && proposal.client == client_id);
  if (!is_ours) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                "the deal proposal is not signed: its client is not the wallet's address");
  }
  const std::vector<uint8_t> encoded = encode_deal_proposal(proposal);
  // What is signed is read back first: a proposal that its own bytes do not give again would sign something else.
  const Result<DealProposal> again = decode_deal_proposal(encoded);
  PIECEWORK_CHECK(again.has_value() && *again == proposal);
  PIECEWORK_ASSIGN(TypedSignature signature, sign_and_check(encoded));
  return SignedProposal{proposal, std::move(signature)};
}

Result<std::string> DealSigner::sign(const Mk20Request& request) {
  PIECEWORK_CHECK(is_plain_path(request.path) && !request.method.empty());
  PIECEWORK_ASSIGN(const TypedSignature signature, sign_and_check(mk20_auth_digest(address_, request)));
  return fmt::format("CurioAuth secp256k1:{}:{}", base64(address_.bytes()), base64(signature));
}

Result<TypedSignature> DealSigner::sign_status_query(const DealUuid& uuid) { return sign_and_check(uuid); }

Result<KeySigner> KeySigner::make(SecretKey key) {
  const std::optional<PublicKey> public_key = secp256k1_public_key(key);
  if (!public_key) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig, "the wallet's key is no secp256k1 key");
  }
  return KeySigner(Address::of_secp256k1(*public_key), std::move(key));
}

Result<TypedSignature> KeySigner::sign_message(ByteSpan message) {
  const RecoverableSignature signature = secp256k1_sign(key_, blake2b_256(message));
  TypedSignature typed{kSignatureTypeSecp256k1};
  typed.insert(typed.end(), signature.begin(), signature.end());
  return typed;
}

}  // namespace piecework::engine
