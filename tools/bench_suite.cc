// Rounds and medians.
#include "tools/bench_suite.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "kernels/base/check.h"
#include "tools/measure.h"
#include "tools/process.h"

namespace piecework::tools {
namespace {

double rate(const Sample& sample) { return static_cast<double>(sample.bytes) / sample.seconds; }

template <class Value>
double median_of(const std::vector<Sample>& samples, const Value& value) {
  std::vector<double> values;
  for (const Sample& sample : samples) values.push_back(value(sample));
  return median(values);
}

std::string text_of(const Limit& limit) {
  std::vector<std::string> terms;
  for (const Limit::Part& part : limit.parts)
    terms.push_back(part.weight == 1 ? part.name : fmt::format("{:.2f} {}", part.weight, part.name));
  const std::string sum = fmt::format("{}", fmt::join(terms, " + "));
  if (limit.factor == 1) return sum;
  return terms.size() == 1 ? fmt::format("{} x {}", limit.factor, sum) : fmt::format("{} x ({})", limit.factor, sum);
}

}  // namespace

Sample sample_of(uint64_t bytes, const std::function<void()>& work) {
  Sample sample{.bytes = bytes};
  sample.cpu_seconds = cpu_seconds_of([&] { sample.seconds = seconds_of(work); });
  return sample;
}

double Figure::bytes_per_second() const { return median_of(samples, rate); }

double Figure::bytes_per_cpu_second() const {
  return median_of(samples,
                   [](const Sample& sample) { return static_cast<double>(sample.bytes) / sample.cpu_seconds; });
}

uint64_t Figure::resident_bytes() const {
  return std::ranges::max(samples, {}, &Sample::resident_bytes).resident_bytes;
}

double Figure::cached_fraction() const {
  return std::ranges::max(samples, {}, &Sample::cached_fraction).cached_fraction;
}

double Figure::foreign_cores() const {
  return median_of(samples, [](const Sample& sample) { return sample.foreign_cpu_seconds / sample.seconds; });
}

std::optional<double> Figure::io_wait_fraction() const {
  if (!std::ranges::all_of(samples, [](const Sample& sample) { return sample.io_wait_seconds.has_value(); })) return {};
  return median_of(samples, [](const Sample& sample) { return *sample.io_wait_seconds / sample.seconds; });
}

void BenchSuite::add(Figure figure) {
  PIECEWORK_CHECK(std::ranges::find(figures_, figure.name, &Figure::name) == figures_.end());
  for (const Limit& limit : figure.limits)
    for (const Limit::Part& part : limit.parts) static_cast<void>(find(part.name));
  figures_.push_back(std::move(figure));
}

Status BenchSuite::run(int round_count) {
  for (int round = 0; round < round_count; ++round) {
    for (Figure& figure : figures_) {
      if (stop_requested()) return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "bench: stopped");
      PIECEWORK_ASSIGN(const Sample sample, figure.measure());
      figure.samples.push_back(sample);
    }
  }
  return {};
}

const Figure& BenchSuite::find(std::string_view name) const {
  const auto found = std::ranges::find(figures_, name, &Figure::name);
  PIECEWORK_CHECK(found != figures_.end());
  return *found;
}

std::optional<MeasuredLimit> BenchSuite::limit_of(const Figure& figure) const {
  std::optional<MeasuredLimit> least;
  for (const Limit& limit : figure.limits) {
    double seconds_per_byte = 0;
    for (const Limit::Part& part : limit.parts) seconds_per_byte += part.weight / find(part.name).bytes_per_second();
    const double bytes_per_second = limit.factor / seconds_per_byte;
    if (!least || bytes_per_second < least->bytes_per_second) least = {bytes_per_second, text_of(limit)};
  }
  return least;
}

double BenchSuite::ratio_to(const Figure& figure, std::string_view name) const {
  const Figure& other = find(name);
  std::vector<double> ratios;
  for (size_t round = 0; round < figure.samples.size(); ++round)
    ratios.push_back(rate(figure.samples[round]) / rate(other.samples[round]));
  return median(ratios);
}

}  // namespace piecework::tools
