// Deals through a program, and documents for deals without a network.
#include "tools/deal/command_adapter.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "engine/deal/bounded_json.h"
#include "engine/deal/deal_proposal.h"
#include "tests/support/temp_dir.h"
#include "tests/tools/deal/deal_terms.h"
#include "tools/deal/command_template.h"
#include "tools/deal/offline_adapter.h"

namespace piecework::tools {
namespace {

using engine::PreparedDeal;
using engine::ProviderView;
using engine::SubmitVerdict;

class Commands : public ::testing::Test {
 protected:
  Commands() : signer_(engine::KeySigner::make(engine::golden_key()).value()) { signal(SIGPIPE, SIG_IGN); }
  CommandAdapter adapter(const std::string& script) {
    return CommandAdapter::make({"sh", "-c", script, "sh", "{action}", "{key}", "{provider}", "{request}"}, signer_)
        .value();
  }
  engine::SubmitOutcome submit(const std::string& script, bool is_repeat = false) {
    CommandAdapter command = adapter(script);
    return command.submit(command.prepare(deal_terms()).value(), is_repeat);
  }
  engine::StatusClaim status(const std::string& script) {
    CommandAdapter command = adapter(script);
    return command.status(command.prepare(deal_terms()).value());
  }
  engine::KeySigner signer_;
};

TEST_F(Commands, TheDocumentSaysWhatIsSigned) {
  CommandAdapter command = adapter("true");
  const PreparedDeal deal = command.prepare(deal_terms()).value();
  const nlohmann::json json = engine::parse_bounded_json(as_text(deal.bytes)).value();
  const std::vector<uint8_t> bytes = engine::from_hex(json["signed_proposal_hex"].get<std::string>());
  const engine::SignedProposal signed_proposal = engine::decode_signed_proposal(bytes).value();
  EXPECT_EQ(engine::signed_proposal_cid(signed_proposal), deal.signed_proposal_cid);
  EXPECT_TRUE(engine::is_signed_by(signer_.address(), engine::encode_deal_proposal(signed_proposal.proposal),
                                   signed_proposal.signature));
  EXPECT_EQ(json["signed_proposal_cid"], deal.signed_proposal_cid.text());
  EXPECT_EQ(json["onchain_proposal_cid"], deal.onchain_cid.text());
  EXPECT_EQ(json["deal_uuid"], deal.client_key);
  EXPECT_EQ(json["client"], "t1ksu3ktw4xhyaoltwr546b3epfs5wxxqfyyxipwi");
  EXPECT_EQ(json["provider"], "t01000");
  EXPECT_EQ(json["end_epoch"], 6'468'000);
  EXPECT_EQ(json["provider_collateral_atto"], "5000000000000000");
}

TEST_F(Commands, AnswersInJson) {
  EXPECT_EQ(
      submit("test $1 = submit && test $3 = t01000 && grep -q \"$2\" \"$4\" && echo '{\"accepted\": true}'").verdict,
      SubmitVerdict::kAccepted);
  const engine::SubmitOutcome refused = submit("echo '{\"accepted\": false, \"message\": \"full\\u0007\"}'");
  EXPECT_EQ(refused.verdict, SubmitVerdict::kRejected);
  EXPECT_EQ(refused.reason, "full\\x07");
  EXPECT_EQ(submit("echo '{\"accepted\": false}'", true).verdict, SubmitVerdict::kUnknown);
}

TEST_F(Commands, AnythingElseIsUnknown) {
  for (const std::string script :
       {"exit 0", "echo '{\"accepted\": true}'; exit 1", "echo '{\"accepted\": 1}'", "echo '[]'", "echo accepted",
        "echo '{\"accepted\": true}{}'", "echo '{\"accepted\": true}'; kill -9 $$", "yes '{\"accepted\": true}'"}) {
    const engine::SubmitOutcome outcome = submit(script);
    EXPECT_EQ(outcome.verdict, SubmitVerdict::kUnknown) << script;
    EXPECT_TRUE(outcome.was_sent);
    EXPECT_FALSE(outcome.reason.empty());
  }
  CommandAdapter missing = CommandAdapter::make({"/nonexistent/program", "{action}"}, signer_).value();
  const PreparedDeal deal = missing.prepare(deal_terms()).value();
  EXPECT_FALSE(missing.submit(deal, false).was_sent);
  EXPECT_EQ(missing.submit(deal, false).verdict, SubmitVerdict::kUnknown);
  EXPECT_EQ(missing.status(deal).view, ProviderView::kNoAnswer);
}

TEST_F(Commands, Statuses) {
  const engine::StatusClaim claim = status(
      "test $1 = status && echo '{\"has_deal\": true, \"stage\": \"Sealed\", \"deal_id\": 7, \"publish_cid\": "
      "\"bafy2bzaceckdwboldw7ijzkknnmwahkrj7pqtzmo3temxmeyszcxf7x2xtsdu\"}'");
  EXPECT_EQ(claim.view, ProviderView::kHasDeal) << claim.message;
  EXPECT_EQ(claim.stage, "Sealed");
  EXPECT_EQ(claim.deal_id, 7U);
  EXPECT_EQ(claim.publish_cid, "bafy2bzaceckdwboldw7ijzkknnmwahkrj7pqtzmo3temxmeyszcxf7x2xtsdu");
  EXPECT_EQ(status("echo '{\"has_deal\": false}'").view, ProviderView::kHasNot);
  EXPECT_EQ(status("echo '{\"has_deal\": true, \"deal_id\": 0}'").deal_id, std::nullopt);
  EXPECT_EQ(status("echo '{\"has_deal\": true, \"publish_cid\": \"x y\"}'").publish_cid, "");
  for (const std::string script : {"exit 1", "echo '{}'", "echo '{\"has_deal\": false}'; exit 1"}) {
    EXPECT_EQ(status(script).view, ProviderView::kNoAnswer) << script;
  }
  CommandAdapter silent = CommandAdapter::make({"false"}, signer_).value();
  EXPECT_EQ(silent.status(silent.prepare(deal_terms()).value()).view, ProviderView::kNoAnswer);
}

TEST(CommandTemplate, ReplacesNamesAndNothingElse) {
  const std::map<std::string, std::string, std::less<>> values{{"key", "{provider}"}, {"provider", "$(x) y"}};
  EXPECT_EQ(fill_command_template({"tool", "--deal={key}", "{provider}{key}", "{", "}{{key}", "{\"key\": 1}", "{}", ""},
                                  values),
            (std::vector<std::string>{"tool", "--deal={provider}", "$(x) y{provider}", "{", "}{{provider}",
                                      "{\"key\": 1}", "{}", ""}));
}

TEST(CommandTemplate, RefusesWhatItDoesNotKnow) {
  EXPECT_FALSE(check_command_template({}, {"key"}, "command"));
  EXPECT_FALSE(check_command_template({""}, {"key"}, "command"));
  EXPECT_FALSE(check_command_template({"tool", "{secret}"}, {"key"}, "command"));
  EXPECT_FALSE(check_command_template({"tool", std::string("a\0b", 3)}, {"key"}, "command"));
  EXPECT_TRUE(check_command_template({"tool", "{key}"}, {"key"}, "command"));
}

TEST_F(Commands, OfflineDealsAreDocuments) {
  const testing::TempDir directory;
  OfflineAdapter offline(directory.path(), signer_);
  const PreparedDeal deal = offline.prepare(deal_terms()).value();
  for (const bool is_repeat : {false, true}) {
    const engine::SubmitOutcome outcome = offline.submit(deal, is_repeat);
    EXPECT_EQ(outcome.verdict, SubmitVerdict::kUnknown);  // nobody has answered
    EXPECT_TRUE(outcome.was_sent);
    EXPECT_EQ(testing::read_file(directory / (deal.client_key + ".deal.json")), as_text(deal.bytes));
  }
  EXPECT_EQ(offline.status(deal).view, ProviderView::kNoAnswer);
  OfflineAdapter nowhere((directory / "absent").string(), signer_);
  EXPECT_FALSE(nowhere.submit(deal, false).was_sent);
}

}  // namespace
}  // namespace piecework::tools
