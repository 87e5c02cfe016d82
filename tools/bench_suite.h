// A set of speeds measured together: every round measures each once, so that figures of one round can be compared even
// on a machine that others use; what is reported are medians, each beside the limit that the same run measured.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kernels/base/error.h"

namespace piecework::tools {

// One speed, by round.
struct Figure {
  std::string name = {};         // stable, for JSON: "commp_memory_one_thread"
  std::string description = {};  // for people
  // Figures of the same suite whose work this one does too, one after the other: it cannot be faster than all of them
  // together. Empty where this one is a limit itself.
  std::vector<std::string> limit_names = {};
  double limit_factor = 1;                       // times their speed, e.g. the number of threads
  std::function<Result<double>()> measure = {};  // bytes per second of one try
  std::vector<double> rounds_bytes_per_second = {};

  [[nodiscard]] double bytes_per_second() const;
  [[nodiscard]] std::string limit_text() const;  // "copy + node_kernel"
};

// Thread-compatible.
class BenchSuite {
 public:
  // REQUIRES: limits are added before what stands beside them.
  void add(Figure figure);
  // Measures every figure `round_count` times. Errors: the first of any measurement; kCancelled on a stop request.
  Status run(int round_count);

  [[nodiscard]] const std::vector<Figure>& figures() const { return figures_; }
  // The limit of `figure` in bytes per second, or 0 where it has none.
  [[nodiscard]] double limit_of(const Figure& figure) const;

 private:
  std::vector<Figure> figures_;
};

}  // namespace piecework::tools
