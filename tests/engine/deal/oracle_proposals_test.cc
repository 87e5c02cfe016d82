// Proposals that other implementations made (tests/interop/oracles/deal-proposals.mjs), byte for byte. The file of
// cases is named by PIECEWORK_DEAL_CASES; tests/interop/deals.py sets it.
#include <gtest/gtest.h>

#include <cstdlib>

#include "engine/deal/bounded_json.h"
#include "engine/deal/deal_signer.h"
#include "tests/engine/deal/golden_deal.h"
#include "tests/support/temp_dir.h"

namespace piecework::engine {
namespace {

using nlohmann::json;

AttoFil amount(const json& value) { return parse_atto_fil(value.get<std::string>(), "amount").value(); }

void check_case(const json& item) {
  const char prefix = item["network"] == "mainnet" ? 'f' : 't';
  const auto text = [&item](const char* name) { return item[name].get<std::string>(); };
  KeySigner signer = KeySigner::make(parse_lotus_key(text("lotus_key")).value()).value();
  EXPECT_EQ(signer.address().text(prefix), text("client"));
  const Address client_id = Address::parse(text("client_id"), prefix).value();
  DealProposal proposal;
  proposal.piece_cid = parse_cid(text("piece_cid")).value();
  proposal.padded_bytes = item["padded_bytes"].get<uint64_t>();
  proposal.is_verified = item["is_verified"].get<bool>();
  proposal.client = item["uses_id"].get<bool>() ? client_id : signer.address();
  proposal.provider = Address::parse(text("provider"), prefix).value();
  proposal.label = {std::string(as_text(from_hex(text("label_hex")))), item["label_is_text"].get<bool>()};
  proposal.start_epoch = item["start_epoch"].get<int64_t>();
  proposal.end_epoch = item["end_epoch"].get<int64_t>();
  proposal.price_per_epoch = amount(item["price"]);
  proposal.provider_collateral = amount(item["provider_collateral"]);
  proposal.client_collateral = amount(item["client_collateral"]);

  EXPECT_EQ(to_hex(encode_deal_proposal(proposal)), text("proposal_hex"));
  EXPECT_EQ(decode_deal_proposal(from_hex(text("proposal_hex"))).value(), proposal);
  EXPECT_EQ(proposal_cid(proposal).text(), text("proposal_cid"));
  EXPECT_EQ(onchain_proposal_cid(proposal, client_id).text(), text("onchain_cid"));
  const Result<SignedProposal> signed_proposal = signer.sign(proposal, client_id);
  ASSERT_TRUE(signed_proposal) << signed_proposal.error().message;
  EXPECT_EQ(to_hex(encode_signed_proposal(*signed_proposal)), text("signed_hex"));
  EXPECT_EQ(decode_signed_proposal(from_hex(text("signed_hex"))).value(), *signed_proposal);
  EXPECT_EQ(signed_proposal_cid(*signed_proposal).text(), text("signed_cid"));
  EXPECT_EQ(signer.sign(Mk20Request{text("method"), text("path"), item["unix_time_s"].get<int64_t>()}).value(),
            text("authorization"));
}

TEST(OracleProposals, AgreeByteForByte) {
  const char* const path = std::getenv("PIECEWORK_DEAL_CASES");
  if (path == nullptr) GTEST_SKIP() << "PIECEWORK_DEAL_CASES names no file of cases";
  const json cases = parse_bounded_json(testing::read_file(path)).value();
  ASSERT_GE(cases.size(), 100U);
  for (const json& item : cases) {
    SCOPED_TRACE(item.dump());
    check_case(item);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace piecework::engine
