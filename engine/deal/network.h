// The networks that deals are made on, by the name that a user gives: address prefix, epochs, the node's own name.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/deal/observation.h"

namespace piecework::engine {

struct Network {
  std::string name;       // "mainnet", "calibnet", "devnet"
  char address_prefix = 't';
  std::string node_name;  // what Filecoin.StateNetworkName answers; "" where anything will do
  ChainClock clock;       // of "devnet" the policy says when its genesis was
};

// None for a network that is not known.
std::optional<Network> find_network(std::string_view name);

inline constexpr Epoch kEpochsPerDay = 2880;

}  // namespace piecework::engine
