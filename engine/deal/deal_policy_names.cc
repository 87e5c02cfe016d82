// How policies and records name protocols, transfers and signers.
#include <array>
#include <utility>

#include "engine/deal/deal_policy.h"

namespace piecework::engine {
namespace {

constexpr std::array<std::pair<DataTransfer, std::string_view>, 3> kTransfers{{
    {DataTransfer::kOffline, "offline"},
    {DataTransfer::kPull, "pull"},
    {DataTransfer::kPush, "push"},
}};

constexpr std::array<std::pair<DealProtocol, std::string_view>, 4> kProtocols{{
    {DealProtocol::kMk12, "mk12"},
    {DealProtocol::kMk20, "mk20"},
    {DealProtocol::kOffline, "offline"},
    {DealProtocol::kCommand, "command"},
}};

}  // namespace

std::string_view name_of(DealProtocol protocol) {
  for (const auto& [value, name] : kProtocols) {
    if (value == protocol) return name;
  }
  return "";
}

std::optional<DealProtocol> parse_deal_protocol(std::string_view name) {
  for (const auto& [value, text] : kProtocols) {
    if (text == name) return value;
  }
  return std::nullopt;
}

std::string_view name_of(DataTransfer transfer) {
  for (const auto& [value, name] : kTransfers) {
    if (value == transfer) return name;
  }
  return "";
}

std::optional<DataTransfer> parse_data_transfer(std::string_view name) {
  for (const auto& [value, text] : kTransfers) {
    if (text == name) return value;
  }
  return std::nullopt;
}

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
