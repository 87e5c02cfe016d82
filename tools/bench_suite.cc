// Rounds and medians.
#include "tools/bench_suite.h"

#include <algorithm>
#include <utility>

#include "kernels/base/check.h"
#include "tools/measure.h"
#include "tools/process.h"

namespace piecework::tools {

double Figure::bytes_per_second() const { return median(rounds_bytes_per_second); }

void BenchSuite::add(Figure figure) {
  PIECEWORK_CHECK(figure.limit_name.empty() || std::ranges::find(figures_, figure.limit_name, &Figure::name) != figures_.end());
  figures_.push_back(std::move(figure));
}

Status BenchSuite::run(int round_count) {
  for (int round = 0; round < round_count; ++round) {
    for (Figure& figure : figures_) {
      if (stop_requested()) return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "bench: stopped");
      PIECEWORK_ASSIGN(const double bytes_per_second, figure.measure());
      figure.rounds_bytes_per_second.push_back(bytes_per_second);
    }
  }
  return {};
}

double BenchSuite::limit_of(const Figure& figure) const {
  const auto limit = std::ranges::find(figures_, figure.limit_name, &Figure::name);
  return limit == figures_.end() ? 0 : figure.limit_factor * limit->bytes_per_second();
}

}  // namespace piecework::tools
