// Signatures against those of other implementations; what a signer refuses; key files.
#include "engine/deal/deal_signer.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "kernels/base/text.h"
#include "tests/engine/deal/golden_deal.h"
#include "tests/support/temp_dir.h"

namespace piecework::engine {
namespace {

KeySigner golden_signer() { return KeySigner::make(golden_key()).value(); }

std::string exported_key(std::string_view json) { return to_hex(as_bytes(json)); }
const std::string kGoldenKeyJson =
    R"({"Type":"secp256k1","PrivateKey":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="})";

// A keeper of keys that gives back what it is told to.
class FixedSigner final : public DealSigner {
 public:
  FixedSigner(Address address, TypedSignature signature)
      : DealSigner(std::move(address)), signature_(std::move(signature)) {}
  int calls = 0;

 private:
  Result<TypedSignature> sign_message(ByteSpan) override {
    ++calls;
    return signature_;
  }
  TypedSignature signature_;
};

TEST(DealSigner, ProposalsAsOtherImplementationsSignThem) {
  KeySigner signer = golden_signer();
  EXPECT_EQ(signer.address().text('f'), kGoldenClientText);
  const Result<SignedProposal> signed_proposal = signer.sign(golden_proposal(), Address());
  ASSERT_TRUE(signed_proposal) << signed_proposal.error().message;
  EXPECT_EQ(to_hex(encode_signed_proposal(*signed_proposal)), golden_value("client_deal_proposal_cbor"));
  const std::string signature = golden_value("iso sig type");
  EXPECT_EQ(to_hex(ByteSpan(signed_proposal->signature).subspan(1)), signature.substr(signature.find(' ') + 1));
}

TEST(DealSigner, HeadersAsOtherImplementationsMakeThem) {
  KeySigner signer = golden_signer();
  for (const int64_t second : {0, 1, 59}) {
    const Mk20Request request{"POST", "/market/mk20/deal", kGoldenUnixTime_s + second};
    EXPECT_EQ(to_hex(mk20_auth_digest(signer.address(), request)), golden_value("mk20 digest"));
    EXPECT_EQ(signer.sign(request).value(), golden_value("Authorization:"));
  }
  const Mk20Request later{"POST", "/market/mk20/deal", kGoldenUnixTime_s + 60};
  EXPECT_NE(signer.sign(later).value(), golden_value("Authorization:"));
}

TEST(DealSigner, MinutesOfAllKindsOfYears) {
  EXPECT_EQ(rfc3339_minute(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(rfc3339_minute(951'782'399), "2000-02-28T23:59:00Z");  // date -u -d @951782399
  EXPECT_EQ(rfc3339_minute(951'868'799), "2000-02-29T23:59:00Z");
  EXPECT_EQ(rfc3339_minute(951'868'800), "2000-03-01T00:00:00Z");
  EXPECT_EQ(rfc3339_minute(1'767'225'599), "2025-12-31T23:59:00Z");
  EXPECT_EQ(rfc3339_minute(1'767'225'600), "2026-01-01T00:00:00Z");
  EXPECT_EQ(rfc3339_minute(4'107'542'399), "2100-02-28T23:59:00Z");
  EXPECT_EQ(rfc3339_minute(4'107'542'400), "2100-03-01T00:00:00Z");
  EXPECT_EQ(rfc3339_minute(253'402'300'799), "9999-12-31T23:59:00Z");
}

TEST(DealSigner, StatusQueriesAreSignedByTheWallet) {
  KeySigner signer = golden_signer();
  const DealUuid uuid = make_deal_uuid();
  const TypedSignature signature = signer.sign_status_query(uuid).value();
  EXPECT_TRUE(is_signed_by(signer.address(), uuid, signature));
  EXPECT_FALSE(is_signed_by(signer.address(), make_deal_uuid(), signature));
  EXPECT_FALSE(is_signed_by(Address::of_actor(200), uuid, signature));
}

TEST(DealSigner, OnlyClientsOfTheWallet) {
  KeySigner signer = golden_signer();
  DealProposal proposal = golden_proposal();
  proposal.client = Address::of_actor(200);
  EXPECT_TRUE(signer.sign(proposal, Address::of_actor(200)));
  for (const Address& client_id : {Address(), Address::of_actor(201)}) {
    const Result<SignedProposal> refused = signer.sign(proposal, client_id);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(DealSigner, WhatMustNotBeSignedNeverReachesTheKey) {
  FixedSigner signer(golden_proposal().client, TypedSignature(66));
  DealProposal proposal = golden_proposal();
  proposal.label.content.assign(257, 'x');
  EXPECT_EQ(signer.sign(proposal, Address()).error().code, ErrorCode::kInvalidArgument);
  proposal = golden_proposal();
  proposal.client = Address::parse("f410f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gmy", 'f').value();
  EXPECT_EQ(signer.sign(proposal, proposal.client).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(signer.calls, 0);
}

TEST(DealSigner, ForeignSignaturesAreFound) {
  const TypedSignature right = golden_signer().sign(golden_proposal(), Address()).value().signature;
  EXPECT_TRUE(FixedSigner(golden_proposal().client, right).sign(golden_proposal(), Address()));
  std::vector<TypedSignature> wrong{{}, TypedSignature(66), TypedSignature(right.begin(), right.end() - 1)};
  for (const size_t at : {size_t{0}, size_t{1}, size_t{33}, size_t{65}}) {
    wrong.push_back(right);
    wrong.back()[at] ^= 1;
  }
  wrong.push_back(right);
  wrong.back().push_back(0);
  SecretKey other;
  for (uint8_t& byte : other.writable()) byte = 2;
  const RecoverableSignature by_other = secp256k1_sign(other, blake2b_256(encode_deal_proposal(golden_proposal())));
  wrong.push_back({1});
  wrong.back().insert(wrong.back().end(), by_other.begin(), by_other.end());
  for (const TypedSignature& signature : wrong) {
    const Result<SignedProposal> refused =
        FixedSigner(golden_proposal().client, signature).sign(golden_proposal(), Address());
    ASSERT_FALSE(refused) << to_hex(signature);
    EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  }
}

TEST(DealSigner, KeysThatAreNone) {
  EXPECT_FALSE(KeySigner::make(SecretKey()));
  SecretKey all_ones;
  for (uint8_t& byte : all_ones.writable()) byte = 0xFF;
  EXPECT_FALSE(KeySigner::make(std::move(all_ones)));
}

TEST(KeyFile, AsLotusExportsIt) {
  for (const std::string& text : {exported_key(kGoldenKeyJson), exported_key(kGoldenKeyJson) + "\n",
                                  exported_key("{ \"PrivateKey\" : \"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\" ,\n"
                                               "\"Type\": \"secp256k1\" }")}) {
    Result<SecretKey> key = parse_lotus_key(text);
    ASSERT_TRUE(key) << key.error().message;
    EXPECT_EQ(KeySigner::make(std::move(*key)).value().address().text('f'), kGoldenClientText);
  }
}

TEST(KeyFile, MalformedTextIsRefusedAndNotQuoted) {
  const std::string secret = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
  for (const std::string& text :
       {std::string(), std::string(" \n"), std::string("f"),
        kGoldenKeyJson, exported_key("{}"), exported_key(kGoldenKeyJson).substr(1),
        exported_key(kGoldenKeyJson + "x"), exported_key(R"({"Type":"bls","PrivateKey":")" + secret + "\"}"),
        exported_key(R"({"Type":"secp256k1","PrivateKey":")" + secret.substr(4) + "\"}"),
        exported_key(R"({"Type":"secp256k1","PrivateKey":")" + secret + R"(","PrivateKey":")" + secret + "\"}"),
        exported_key(R"({"Type":"secp256k1","Private\u004bey":")" + secret + "\"}"),
        exported_key(R"({"Type":"secp256k1","PrivateKey":")" + secret + R"(","Other":"x"})"),
        exported_key(R"({"Type":"secp256k1","PrivateKey":")" + secret), std::string(5000, 'a')}) {
    const Result<SecretKey> key = parse_lotus_key(text);
    ASSERT_FALSE(key) << text;
    EXPECT_EQ(key.error().side, ErrorSide::kConfig);
    EXPECT_EQ(key.error().message.find("AQEB"), std::string::npos) << key.error().message;
    EXPECT_EQ(key.error().message.find("4151"), std::string::npos) << key.error().message;
  }
}

TEST(KeyFile, OnlyWhereNobodyElseCanReadIt) {
  const testing::TempDir directory;
  const std::string path = directory / "wallet.key";
  testing::write_file(path, exported_key(kGoldenKeyJson) + "\n");
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  const Result<SecretKey> key = read_key_file(path);
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_TRUE(std::ranges::equal(key->bytes(), golden_key().bytes()));
  ASSERT_EQ(::chmod(path.c_str(), 0400), 0);
  EXPECT_TRUE(read_key_file(path));
  for (const mode_t mode : {0640u, 0604u, 0620u, 0610u, 0644u, 0666u}) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    const Result<SecretKey> refused = read_key_file(path);
    ASSERT_FALSE(refused) << mode;
    EXPECT_EQ(refused.error().code, ErrorCode::kPermission);
    EXPECT_NE(refused.error().message.find("0600"), std::string::npos);
  }
  EXPECT_EQ(read_key_file(directory / "absent").error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(read_key_file(directory.path()));
}

TEST(SecretKey, ForgetsWhatItGaveAway) {
  SecretKey key = golden_key();
  const SecretKey taken = std::move(key);
  EXPECT_TRUE(std::ranges::all_of(key.bytes(), [](uint8_t byte) { return byte == 0; }));  // NOLINT: that is the point
  EXPECT_TRUE(std::ranges::equal(taken.bytes(), golden_key().bytes()));
}

}  // namespace
}  // namespace piecework::engine
