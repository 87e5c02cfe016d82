// A self-check of everything that a deal's bytes depend on: this build, its libraries and this processor against what
// other implementations made of one deal.
#pragma once

#include <string>
#include <vector>

namespace piecework::engine {

struct WireCheck {
  std::string name;
  std::string expected;
  std::string actual;

  bool is_right() const { return expected == actual; }
};

// All checks, right and wrong ones, in a fixed order. Nothing is read or sent.
std::vector<WireCheck> check_wire();

}  // namespace piecework::engine
