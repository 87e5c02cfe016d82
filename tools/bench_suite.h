// A set of speeds measured together: every round measures each once, so that figures of one round can be compared even
// on a machine that others use; what is reported are medians, each beside the limit that the same run measured.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/error.h"

namespace piecework::tools {

// One try.
struct Sample {
  uint64_t bytes = 0;
  double seconds = 0;
  double cpu_seconds = 0;                 // of all threads
  uint64_t resident_bytes = 0;            // the most that a process of its own had; 0: the work was done in this one
  std::optional<double> io_wait_seconds;  // see ChildUsage
  double foreign_cpu_seconds = 0;         // see ChildUsage
  double cached_fraction = 0;             // of the source's pages, when a cold try began
};

// Runs `work` on this thread, and on threads that it waits for.
Sample sample_of(uint64_t bytes, const std::function<void()>& work);

// What a figure cannot be faster than: figures of the same suite whose work it does too, one after the other, so often
// for each byte of its own as the weight says. `factor` times their speed, e.g. the number of threads.
struct Limit {
  struct Part {
    std::string name;
    double weight = 1;
  };
  std::vector<Part> parts;
  double factor = 1;
};

// One speed, by round.
struct Figure {
  std::string name = {};         // stable, for JSON: "pack_warm_2_threads"
  std::string description = {};  // for people
  std::string cache = {};        // "warm", "cold", or empty where no file is read
  unsigned thread_count = 1;
  std::vector<Limit> limits = {};  // the least of them counts; empty where the figure is a limit itself
  std::function<Result<Sample>()> measure = {};
  std::vector<Sample> samples = {};

  // Medians. REQUIRES: a sample.
  [[nodiscard]] double bytes_per_second() const;
  [[nodiscard]] double bytes_per_cpu_second() const;
  // The most of all samples, 0 where no process of its own did the work.
  [[nodiscard]] uint64_t resident_bytes() const;
  // The most of all samples.
  [[nodiscard]] double cached_fraction() const;
  // The median of the cores that others kept busy meanwhile.
  [[nodiscard]] double foreign_cores() const;
  // The median share of the time that was waited for IO; none where the system does not say.
  [[nodiscard]] std::optional<double> io_wait_fraction() const;
};

struct MeasuredLimit {
  double bytes_per_second = 0;
  std::string text;  // "2 x (copy + node_kernel)"
};

// Thread-compatible.
class BenchSuite {
 public:
  // REQUIRES: limits are added before what stands beside them; names are unique.
  void add(Figure figure);
  // Measures every figure `round_count` times. Errors: the first of any measurement; kCancelled on a stop request.
  Status run(int round_count);

  [[nodiscard]] const std::vector<Figure>& figures() const { return figures_; }
  // The least limit of `figure`, or none.
  [[nodiscard]] std::optional<MeasuredLimit> limit_of(const Figure& figure) const;
  // The median of figure's speed over the one of the figure called `name` in the same round.
  [[nodiscard]] double ratio_to(const Figure& figure, std::string_view name) const;

 private:
  [[nodiscard]] const Figure& find(std::string_view name) const;

  std::vector<Figure> figures_;
};

}  // namespace piecework::tools
