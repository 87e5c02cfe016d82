#include "engine/deal/network.h"

namespace piecework::engine {

std::optional<Network> find_network(std::string_view name) {
  if (name == "mainnet") return Network{"mainnet", 'f', "mainnet", {.genesis_s = 1'598'306'400}};
  if (name == "calibnet") return Network{"calibnet", 't', "calibrationnet", {.genesis_s = 1'667'326'380}};
  if (name == "devnet") return Network{"devnet", 't', "", {}};
  return std::nullopt;
}

}  // namespace piecework::engine
