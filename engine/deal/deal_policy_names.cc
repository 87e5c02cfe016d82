// How policies and records name protocols, transfers and signers.

#include "engine/deal/deal_policy.h"
#include "engine/deal/name_table.h"

namespace piecework::engine {
namespace {

constexpr NameTable<DataTransfer, 3> kTransfers{{
    {DataTransfer::kOffline, "offline"},
    {DataTransfer::kPull, "pull"},
    {DataTransfer::kPush, "push"},
}};

constexpr NameTable<DealProtocol, 4> kProtocols{{
    {DealProtocol::kMk12, "mk12"},
    {DealProtocol::kMk20, "mk20"},
    {DealProtocol::kOffline, "offline"},
    {DealProtocol::kCommand, "command"},
}};

}  // namespace

std::string_view name_of(DealProtocol protocol) { return name_in(kProtocols, protocol); }

std::optional<DealProtocol> parse_deal_protocol(std::string_view name) { return value_in(kProtocols, name); }

std::string_view name_of(DataTransfer transfer) { return name_in(kTransfers, transfer); }

std::optional<DataTransfer> parse_data_transfer(std::string_view name) { return value_in(kTransfers, name); }

std::string_view name_of(SignerChoice::Kind kind) {
  switch (kind) {
    case SignerChoice::Kind::kKeyFile:
      return "key_file";
    case SignerChoice::Kind::kCommand:
      return "command";
    case SignerChoice::Kind::kRpc:
      break;
  }
  return "rpc";
}

}  // namespace piecework::engine
