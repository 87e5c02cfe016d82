// A policy: how many copies of each piece are wanted, with whom, at what price, for how long. A TOML file.
//
//   name = "sites"                    of the campaign: its caps hold over all policies of that name, and they alone
//                                     send, upload and settle its deals
//   network = "calibnet"              mainnet, calibnet or devnet
//   client = "t1..."                  the wallet that proposes
//   copies = 3                        with as many different providers,
//   owners = 2                        of at least so many owners
//   regions = 2                       in at least so many regions
//   max_pieces_per_provider = 100     optional: copies that any one provider holds
//   duration_epochs = 1468800
//   start_delay_epochs = 8640         from the head at signing to the start epoch: time to ship and to seal
//   renew_before_epochs = 120960      a copy that ends sooner than that gets a successor
//   repair_after_epochs = 20160       a copy that is faulty for longer than that is replaced
//   verified = false                  default false
//   piece_url = "https://archive.example/piece/"    optional: where providers fetch pieces, the piece CID follows
//
//   [signer]                          one of three
//   key_file = "wallet.key"           mode 0600, as `lotus wallet export` writes it
//   command = ["sign-proposal"]
//   rpc = "http://127.0.0.1:1234/rpc/v1"      and optionally token_file
//
//   [caps]                            attoFIL, whole numbers as text
//   price_per_gib_epoch = "100"       of any provider
//   deal = "2000000000"               of one deal, over its whole duration, collateral of the client included
//   day = "20000000000"               of what is proposed in a UTC day
//   campaign = "200000000000"
//
//   [chain]
//   endpoints = ["https://api.calibration.example/rpc/v1"]
//   token_file = "token"              optional, mode 0600
//   genesis_s = 1700000000            of a devnet: its first epoch, seconds since 1970
//
//   [[provider]]
//   id = "t01000"
//   owner = "acme"
//   region = "eu"
//   protocol = "mk20"                 mk12, mk20, offline or command
//   url = "https://sp.example"        of mk12 and mk20; optional: else the first that it names on chain
//   command = ["tool", "{request}"]   of command
//   price_per_gib_epoch = "0"         what is offered: attoFIL for a GiB of padded piece and an epoch; 0 of mk20
//   piece_bytes_max = 34359738368     optional: padded
//   seal_epochs = 960                 optional: between taking a deal and its start; 960 is eight hours
//   transfer = "pull"                 optional: pull (from piece_url), push (`deal send-data`, mk20 alone) or offline;
//                                     pull where there is a piece_url, else offline
//   piece_token_file = "acme.token"   optional, mode 0600: what it shows to `piecework serve --tokens`; the provider
//                                     gets it with the deal, and the catalogue, which has to be of mode 0600, keeps it
//
// Whoever writes the file is trusted with money, the file itself is not trusted to be well-formed: its size and nesting
// are bounded, every key has to be known.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/deal/atto_fil.h"
#include "engine/deal/deal_adapter.h"
#include "engine/deal/network.h"

namespace piecework::engine {

inline constexpr size_t kPolicyBytesMax = size_t{1} << 20;
inline constexpr size_t kCopiesMax = 32;
inline constexpr size_t kPolicyProvidersMax = 4096;

enum class DealProtocol : uint8_t { kMk12, kMk20, kOffline, kCommand };
std::string_view name_of(DealProtocol protocol);
std::optional<DealProtocol> parse_deal_protocol(std::string_view name);
// "offline", "pull", "push".
std::string_view name_of(DataTransfer transfer);
std::optional<DataTransfer> parse_data_transfer(std::string_view name);

struct PolicyProvider {
  std::string id;
  std::string owner;
  std::string region;
  DealProtocol protocol = DealProtocol::kOffline;
  std::string url;
  std::vector<std::string> command;
  AttoFil price_per_gib_epoch;
  uint64_t piece_bytes_max = UINT64_MAX;
  Epoch seal_epochs = 0;
  DataTransfer transfer = DataTransfer::kOffline;
  std::string piece_token_file;  // "" for none
};

struct SignerChoice {
  enum class Kind : uint8_t { kKeyFile, kCommand, kRpc };
  Kind kind = Kind::kKeyFile;
  std::string reference;             // path of the key file, or URL; never a key
  std::vector<std::string> command;  // of kCommand
  std::string token_file;            // of kRpc; "" for none
};
// "key_file", "command", "rpc".
std::string_view name_of(SignerChoice::Kind kind);

struct PolicyCaps {
  AttoFil price_per_gib_epoch;
  AttoFil deal;
  AttoFil day;
  AttoFil campaign;
};

struct DealPolicy {
  std::string name;
  Network network;
  std::string client;
  unsigned copies = 0;
  unsigned owners = 0;
  unsigned regions = 0;
  uint64_t max_pieces_per_provider = UINT64_MAX;
  Epoch duration_epochs = 0;
  Epoch start_delay_epochs = 0;
  Epoch renew_before_epochs = 0;
  Epoch repair_after_epochs = 0;
  bool verified = false;
  std::string piece_url;
  SignerChoice signer;
  PolicyCaps caps;
  std::vector<std::string> chain_endpoints;
  std::string chain_token_file;
  std::vector<PolicyProvider> providers;  // in the order of the file

  // None where the policy has no such provider.
  const PolicyProvider* find_provider(std::string_view id) const;
};

// `path` stands in messages, with the line. Errors: kInvalidArgument (config).
Result<DealPolicy> parse_deal_policy(std::string_view text, std::string_view path);

}  // namespace piecework::engine
