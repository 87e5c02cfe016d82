// Policy files: what they say, and that nothing else than what is described gets through, with the line it stands in.
#include "engine/deal/deal_policy.h"

#include <gtest/gtest.h>

#include <string>

namespace piecework::engine {
namespace {

constexpr std::string_view kPolicy = R"(name = "sites"
network = "calibnet"
client = "t1ksu3ktw4xhyaoltwr546b3epfs5wxxqfyyxipwi"
copies = 2
owners = 2
regions = 1
duration_epochs = 1468800
start_delay_epochs = 8640
renew_before_epochs = 120960
repair_after_epochs = 20160

[signer]
key_file = "wallet.key"

[caps]
price_per_gib_epoch = "100"
deal = "2000000000000000000"
day = "20000000000000000000"
campaign = "200000000000000000000"

[chain]
endpoints = ["https://one.example/rpc/v1", "https://two.example/rpc/v1"]

[[provider]]
id = "t01000"
owner = "acme"
region = "eu"
protocol = "mk20"
url = "https://sp.example"
price_per_gib_epoch = "0"
piece_bytes_max = 34359738368

[[provider]]
id = "t01001"
owner = "other"
region = "us"
protocol = "command"
command = ["tool", "{request}"]
price_per_gib_epoch = "100"
)";

std::string with(std::string_view from, std::string_view to) {
  std::string text(kPolicy);
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string refusal(std::string_view text) {
  const Result<DealPolicy> policy = parse_deal_policy(text, "p.toml");
  if (policy) return "accepted";
  EXPECT_EQ(policy.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(policy.error().side, ErrorSide::kConfig);
  return policy.error().message;
}

TEST(DealPolicy, SaysWhatTheFileSays) {
  const Result<DealPolicy> policy = parse_deal_policy(kPolicy, "p.toml");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->name, "sites");
  EXPECT_EQ(policy->network.name, "calibnet");
  EXPECT_EQ(policy->network.clock.genesis_s, 1'667'326'380);
  EXPECT_EQ(policy->copies, 2u);
  EXPECT_EQ(policy->owners, 2u);
  EXPECT_EQ(policy->regions, 1u);
  EXPECT_EQ(policy->duration_epochs, 1'468'800);
  EXPECT_FALSE(policy->verified);
  EXPECT_EQ(policy->signer.kind, SignerChoice::Kind::kKeyFile);
  EXPECT_EQ(policy->signer.reference, "wallet.key");
  EXPECT_EQ(policy->caps.deal.text(), "2000000000000000000");
  EXPECT_EQ(policy->caps.campaign.text(), "200000000000000000000");
  EXPECT_EQ(policy->chain_endpoints.size(), 2u);
  ASSERT_EQ(policy->providers.size(), 2u);
  EXPECT_EQ(policy->providers[0].protocol, DealProtocol::kMk20);
  EXPECT_EQ(policy->providers[0].piece_bytes_max, uint64_t{32} << 30);
  EXPECT_EQ(policy->providers[1].command, (std::vector<std::string>{"tool", "{request}"}));
  EXPECT_EQ(policy->find_provider("t01001"), &policy->providers[1]);
  EXPECT_EQ(policy->find_provider("t01002"), nullptr);
}

TEST(DealPolicy, EveryUnknownKeyIsRefusedWithItsLine) {
  EXPECT_EQ(refusal(with("copies = 2", "copies = 2\ncopy = 3")), "'p.toml' line 5: unknown key 'copy'");
  EXPECT_EQ(refusal(with("deal = ", "deel = \"1\"\ndeal = ")), "'p.toml' line 17: [caps] unknown key 'deel'");
  EXPECT_EQ(refusal(with("owner = \"other\"", "owner = \"other\"\nprice = 3")),
            "'p.toml' line 36: [[provider]] unknown key 'price'");
  EXPECT_EQ(refusal(with("[chain]\n", "[chain]\ngenesis_s = 4\n")),
            "'p.toml' line 22: [chain] unknown key 'genesis_s'");
}

TEST(DealPolicy, WhatIsWrongIsNamedWithItsLine) {
  const auto expect = [](std::string_view from, std::string_view to, std::string_view message) {
    const std::string found = refusal(with(from, to));
    EXPECT_NE(found.find(message), std::string::npos) << to << ": " << found;
  };
  expect("name = \"sites\"\n", "", "name: is missing");
  expect("\"sites\"", "\"a b\"", "line 1: name: expected 1 to 64 letters");
  expect("\"calibnet\"", "\"testnet\"", "line 2: network: expected mainnet, calibnet or devnet");
  expect("\"t1ks", "\"f1ks", "line 3: client: expected a key's address of calibnet");
  expect("copies = 2", "copies = 0", "line 4: copies: expected a whole number from 1 to 32");
  expect("copies = 2", "copies = 2.0", "line 4: no key or number of a policy has a dot");
  expect("copies = 2", "copies = \"2\"", "line 4: copies: expected a whole number");
  expect("copies = 2", "copies = 2 # '\"", "accepted");
  expect("owners = 2", "owners = 3", "line 5: owners: expected a whole number from 1 to 2");
  expect("1468800", "1000", "line 7: duration_epochs");
  expect("120960", "1468800", "line 9: renew_before_epochs: is as long as the deal");
  expect("\"100\"", "100", "line 16: [caps] price_per_gib_epoch: expected text in quotes");
  expect("\"100\"", "\"1.5\"", "line 16: [caps] price_per_gib_epoch: price_per_gib_epoch: expected a whole number");
  expect("day = \"20000000000000000000\"\n", "", "[caps] day: is missing");
  expect("key_file = \"wallet.key\"", "", "give one of key_file, command and rpc");
  expect("key_file = \"wallet.key\"", "key_file = \"k\"\nrpc = \"r\"", "give one of key_file, command and rpc");
  expect("key_file = \"wallet.key\"", "key_file = \"a\\u0007b\"", "[signer] key_file: expected text in quotes");
  expect("id = \"t01001\"", "id = \"t01000\"", "t01000 is there twice");
  expect("id = \"t01001\"", "id = \"f01001\"", "expected an ID address of calibnet");
  expect("id = \"t01001\"", "id = \"t001001\"", "expected an ID address of calibnet");
  expect("protocol = \"mk20\"", "protocol = \"mk21\"", "line 28: [[provider]] protocol: expected mk12");
  expect("url = \"https://sp.example\"\n", "", "accepted");  // then the chain says
  expect("[[provider]]\nid = \"t01001\"", "[provider]\nid = \"t01001\"", "line 33");
  expect("endpoints = [", "endpoints = [3, ", "[chain] endpoints: expected text");
}

TEST(DealPolicy, PricesAboveTheCapAreRefused) {
  std::string text(kPolicy);
  text.replace(text.rfind("\"100\""), 5, "\"101\"");
  EXPECT_EQ(refusal(text), "'p.toml' line 39: [[provider]] price_per_gib_epoch: is more than the cap allows");
}

TEST(DealPolicy, DealsWithoutAPriceHaveNone) {
  EXPECT_EQ(refusal(with("price_per_gib_epoch = \"0\"", "price_per_gib_epoch = \"1\"")),
            "'p.toml' line 30: [[provider]] price_per_gib_epoch: deals by mk20 carry no price: it has to be 0");
}

TEST(DealPolicy, HowPiecesGetThere) {
  const auto transfer_of = [](const std::string& text, size_t provider) {
    const Result<DealPolicy> policy = parse_deal_policy(text, "p.toml");
    return policy ? std::string(name_of(policy->providers[provider].transfer)) : policy.error().message;
  };
  EXPECT_EQ(transfer_of(std::string(kPolicy), 0), "offline");
  EXPECT_EQ(transfer_of(with("\"mk20\"", "\"mk20\"\ntransfer = \"push\""), 0), "push");
  const auto with_url = [](std::string_view from, std::string_view to) {
    return "piece_url = \"https://archive.example/piece/\"\n" + with(from, to);
  };
  EXPECT_EQ(transfer_of(with_url("eu", "eu"), 0), "pull");
  EXPECT_EQ(transfer_of(with_url("eu", "eu"), 1), "pull");
  EXPECT_EQ(transfer_of(with_url("\"mk20\"", "\"mk20\"\ntransfer = \"offline\""), 0), "offline");
  EXPECT_EQ(transfer_of(with_url("\"mk20\"", "\"mk20\"\npiece_token_file = \"t\""), 0), "pull");
  const auto refuses = [](const std::string& text, std::string_view message) {
    EXPECT_NE(refusal(text).find(message), std::string::npos) << refusal(text);
  };
  refuses(with("\"mk20\"", "\"mk20\"\ntransfer = \"put\""), "line 29: [[provider]] transfer: expected pull, push");
  refuses(with("\"mk20\"", "\"mk20\"\ntransfer = \"pull\""), "needs the policy's piece_url");
  refuses(with("\"command\"\n", "\"command\"\ntransfer = \"push\"\n"), "only providers by mk20 take an upload");
  refuses(with("\"mk20\"", "\"mk20\"\npiece_token_file = \"t\""), "is for providers that fetch pieces");
}

TEST(DealPolicy, TimeToSealAndWhereDealsMayEnd) {
  const auto refuses = [](const std::string& text, std::string_view message) {
    EXPECT_NE(refusal(text).find(message), std::string::npos) << refusal(text);
  };
  EXPECT_EQ(refusal(with("8640", "960")), "accepted");
  refuses(with("8640", "959"), "[[provider]] seal_epochs: is 960: start_delay_epochs, 959, leaves no time");
  refuses(with("\"mk20\"", "\"mk20\"\nseal_epochs = 8641"), "line 29: [[provider]] seal_epochs: is 8641");
  // 1,278 days after signing a sector has to end, and a deal by f05 in it.
  EXPECT_EQ(refusal(with("1468800", "3672000")), "accepted");
  refuses(with("1468800", "3672001"), "[[provider]] protocol: deals by command end at most 3680640 epochs after");
}

TEST(DealPolicy, DevnetsSayWhenTheyBegan) {
  const std::string devnet = with("\"calibnet\"", "\"devnet\"");
  EXPECT_NE(refusal(devnet).find("genesis_s: is missing"), std::string::npos);
  std::string text = devnet;
  text.insert(text.find("endpoints"), "genesis_s = 1700000000\n");
  EXPECT_EQ(parse_deal_policy(text, "p")->network.clock.genesis_s, 1'700'000'000);
}

TEST(DealPolicy, HostileTextIsBounded) {
  EXPECT_NE(refusal(std::string(kPolicyBytesMax + 1, ' ')).find("a policy has at most"), std::string::npos);
  EXPECT_NE(refusal("a = " + std::string(100'000, '[')).find("line 1"), std::string::npos);
  std::string nested = "a = ";
  for (int i = 0; i < 50'000; ++i) nested += "{a=";
  EXPECT_NE(refusal(nested).find("line 1"), std::string::npos);
  std::string dotted = "a";
  for (int i = 0; i < 200'000; ++i) dotted += ".a";
  EXPECT_NE(refusal("name = \"x\"\n" + dotted + " = 1").find("line 2: no key"), std::string::npos);
  EXPECT_NE(refusal("x = [ \"\"\"a\"b\"\"\", {" + dotted + " = 1}]").find("line 1: no key"), std::string::npos);
  EXPECT_NE(refusal("x = [ \"\\\"\", 'a\\', {" + dotted + " = 1}]").find("line 1: no key"), std::string::npos);
  for (const char* const header : {"[\x01", "[ \x01]", "[[\x01]]", "[$]", "[", "[[", " [ ]", "[\xc3\xa9]"}) {
    EXPECT_NE(refusal(std::string("name = \"x\"\n") + header).find("line 2"), std::string::npos) << header;
  }
  EXPECT_NE(refusal("renew_before_epochs = 120\xc7\xbf" "0").find("line 1: no key"), std::string::npos);
  EXPECT_NE(refusal(std::string("name = \"\x00\"", 10)).find("line 1"), std::string::npos);
}

}  // namespace
}  // namespace piecework::engine
