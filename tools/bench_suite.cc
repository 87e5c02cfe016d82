// Rounds and medians.
#include "tools/bench_suite.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "kernels/base/check.h"
#include "tools/measure.h"
#include "tools/process.h"

namespace piecework::tools {

double Figure::bytes_per_second() const { return median(rounds_bytes_per_second); }

std::string Figure::limit_text() const { return fmt::format("{}", fmt::join(limit_names, " + ")); }

void BenchSuite::add(Figure figure) {
  for (const std::string& name : figure.limit_names)
    PIECEWORK_CHECK(std::ranges::find(figures_, name, &Figure::name) != figures_.end());
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
  if (figure.limit_names.empty()) return 0;
  double seconds_per_byte = 0;
  for (const std::string& name : figure.limit_names)
    seconds_per_byte += 1 / std::ranges::find(figures_, name, &Figure::name)->bytes_per_second();
  return figure.limit_factor / seconds_per_byte;
}

}  // namespace piecework::tools
