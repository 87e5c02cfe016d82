// Signers that keep their keys to themselves: right, wrong and silent ones.
#include "tools/deal/remote_signers.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include "kernels/base/text.h"
#include "tests/engine/deal/golden_deal.h"
#include "tests/support/fake_server.h"
#include "tests/support/temp_dir.h"

namespace piecework::tools {
namespace {

using engine::Address;
using engine::SignedProposal;

// The signature of vectors.txt, its type first.
std::string golden_signature() {
  const std::string line = engine::golden_value("iso sig type");
  return "01" + line.substr(line.find(' ') + 1);
}

class CommandSigners : public ::testing::Test {
 protected:
  CommandSigners() { signal(SIGPIPE, SIG_IGN); }
  Result<SignedProposal> sign(const std::string& script) {
    CommandSigner signer =
        CommandSigner::make(engine::golden_proposal().client, 'f', {"sh", "-c", script, "sh", "{address}", "{message}"})
            .value();
    return signer.sign(engine::golden_proposal(), Address());
  }
};

TEST_F(CommandSigners, AsLotusWalletSign) {
  const std::string message = engine::golden_value("proposal_cbor");
  const Result<SignedProposal> signed_proposal =
      sign("test \"$1\" = " + std::string(engine::kGoldenClientText) + " && test \"$2\" = " + message +
           " && test \"$(cat)\" = " + message + " && echo " + golden_signature());
  ASSERT_TRUE(signed_proposal) << signed_proposal.error().message;
  EXPECT_EQ(to_hex(engine::encode_signed_proposal(*signed_proposal)),
            engine::golden_value("client_deal_proposal_cbor"));
}

TEST_F(CommandSigners, WhatIsNoSignature) {
  std::string other = golden_signature();
  other[10] = other[10] == '0' ? '1' : '0';
  EXPECT_EQ(sign("echo " + other).error().code, ErrorCode::kConflict);
  EXPECT_EQ(sign("echo 00").error().code, ErrorCode::kConflict);
  for (const std::string& script :
       {std::string("exit 1"), std::string("echo nothing"), "echo " + golden_signature() + "; exit 1",
        "echo " + golden_signature() + " x", std::string("kill -9 $$"), std::string("yes")}) {
    const Result<SignedProposal> refused = sign(script);
    ASSERT_FALSE(refused) << script;
    EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable) << script;
    EXPECT_EQ(refused.error().side, ErrorSide::kConfig);
  }
  EXPECT_FALSE(CommandSigner::make(engine::golden_proposal().client, 'f', {"sign", "{key}"}));
}

TEST(WalletSigner, AsksTheNode) {
  const testing::ScriptedRpc rpc;
  io::HttpClient http = io::HttpClient::create({}).value();
  WalletSigner signer(engine::golden_proposal().client, 'f', RpcClient(rpc.url(), "token", http));
  const std::vector<uint8_t> signature = engine::from_hex(golden_signature().substr(2));
  const std::string method = "Filecoin.WalletSign";
  rpc.answer(method, {{"result", {{"Type", 1}, {"Data", base64(signature)}}}});
  rpc.answer(method, {{"result", {{"Type", 2}, {"Data", base64(signature)}}}});
  rpc.answer(method, {{"result", {{"Type", 1}, {"Data", "?"}}}});
  rpc.answer(method,
             {{"error", {{"code", 1}, {"message", "missing permission to invoke 'WalletSign' (need 'sign')"}}}});
  rpc.answer(method, {{"result", {{"Type", 1}, {"Data", base64(std::vector<uint8_t>(65))}}}});
  const Result<SignedProposal> signed_proposal = signer.sign(engine::golden_proposal(), Address());
  ASSERT_TRUE(signed_proposal) << signed_proposal.error().message;
  EXPECT_EQ(to_hex(engine::encode_signed_proposal(*signed_proposal)),
            engine::golden_value("client_deal_proposal_cbor"));
  const std::vector<uint8_t> message = engine::from_hex(engine::golden_value("proposal_cbor"));
  EXPECT_EQ(rpc.calls()[0]["params"], nlohmann::json::array({engine::kGoldenClientText, base64(message)}));
  EXPECT_EQ(rpc.calls()[0]["authorization"], "Bearer token");
  for (const ErrorCode code :
       {ErrorCode::kUnavailable, ErrorCode::kUnavailable, ErrorCode::kUnavailable, ErrorCode::kConflict}) {
    EXPECT_EQ(signer.sign(engine::golden_proposal(), Address()).error().code, code);
  }
}

TEST(WalletSigner, NobodyAnswers) {
  io::HttpClient http = io::HttpClient::create({}).value();
  WalletSigner signer(engine::golden_proposal().client, 'f', RpcClient("http://127.0.0.1:1/rpc/v1", "", http));
  const Result<SignedProposal> refused = signer.sign(engine::golden_proposal(), Address());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
}

TEST(TokenFile, OneWordForItsOwnerAlone) {
  const testing::TempDir directory;
  const std::string path = directory / "token";
  testing::write_file(path, " eyJhbGciOi.J9-_ \n");
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  EXPECT_EQ(read_token_file(path).value(), "eyJhbGciOi.J9-_");
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  EXPECT_EQ(read_token_file(path).error().code, ErrorCode::kPermission);
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  for (const std::string& text : {std::string(), std::string("\n"), std::string("two words"), std::string("a\r\nX: b"),
                                  std::string(9000, 'x'), std::string("\xc3\xa9")}) {
    testing::write_file(path, text);
    const Result<std::string> token = read_token_file(path);
    ASSERT_FALSE(token) << text;
    EXPECT_EQ(token.error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace piecework::tools
