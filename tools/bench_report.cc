// The same figures twice.
#include "tools/bench_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/units.h"
#include "kernels/variant.h"
#include "tools/machine.h"
#include "tools/process.h"
#include "tools/sizes.h"

namespace piecework::tools {
namespace {

constexpr double kMostlyCold = 0.05;   // of the pages may be cached, and a try still counts as cold
constexpr double kMostlyAlone = 0.25;  // cores; writing back takes about a tenth of one

Json active_variants_json() {
  Json active = Json::object();
  for (const kernels::VariantInfo& variant : all_variants())
    if (variant.active) active[std::string(variant.kernel)] = variant.name;
  return active;
}

Json figure_json(const BenchSuite& suite, const Figure& figure) {
  Json object = {{"name", figure.name}, {"description", figure.description}, {"threads", figure.thread_count}};
  if (!figure.cache.empty()) object["cache"] = figure.cache;
  object["bytes_per_second"] = figure.bytes_per_second();
  object["bytes_per_cpu_second"] = figure.bytes_per_cpu_second();
  object["node_kernel_ratio"] = suite.ratio_to(figure, "node_kernel");
  if (const uint64_t resident_bytes = figure.resident_bytes(); resident_bytes > 0) {
    object["resident_bytes"] = resident_bytes;
    const std::optional<double> io_wait_fraction = figure.io_wait_fraction();
    object["io_wait_fraction"] = io_wait_fraction ? Json(*io_wait_fraction) : Json();
    object["foreign_cores"] = figure.foreign_cores();
    if (figure.cache == "cold") object["cached_fraction_at_start"] = figure.cached_fraction();
  }
  if (const std::optional<MeasuredLimit> limit = suite.limit_of(figure)) {
    object["limit"] = limit->text;
    object["limit_bytes_per_second"] = limit->bytes_per_second;
    object["fraction_of_limit"] = figure.bytes_per_second() / limit->bytes_per_second;
  }
  Json rounds = Json::array();
  for (const Sample& sample : figure.samples) rounds.push_back(static_cast<double>(sample.bytes) / sample.seconds);
  object["rounds_bytes_per_second"] = rounds;
  return object;
}

Json corpus_json(const CorpusReport& corpus) {
  Json object = {{"name", corpus.name}, {"description", corpus.description}, {"bytes", corpus.bytes}};
  if (corpus.file_count > 0) object["file_count"] = corpus.file_count;
  if (!corpus.commp.empty()) object["commp"] = corpus.commp;
  object["piece_cid_v2"] = corpus.piece_cid_v2;
  object["figures"] = Json::array();
  for (const Figure& figure : corpus.suite.figures()) object["figures"].push_back(figure_json(corpus.suite, figure));
  return object;
}

std::string figure_line(const BenchSuite& suite, const Figure& figure) {
  const std::string what = figure.cache.empty() ? figure.description : figure.description + ", " + figure.cache;
  std::string line = fmt::format("  {:<36}{:>7}{:>9.2f}{:>10.2f}", what, figure.thread_count,
                                 figure.bytes_per_second() / 1e9, figure.bytes_per_cpu_second() / 1e9);
  const std::optional<double> io_wait_fraction = figure.io_wait_fraction();
  line += figure.resident_bytes() == 0
              ? fmt::format("{:>14}", "")
              : fmt::format("{:>7.0f}{:>7}", static_cast<double>(figure.resident_bytes()) / kMiB,
                            io_wait_fraction ? fmt::format("{:.0f} %", 100 * *io_wait_fraction) : "?");
  if (const std::optional<MeasuredLimit> limit = suite.limit_of(figure))
    line += fmt::format("   {:>4.2f} of {:.2f}: {}", figure.bytes_per_second() / limit->bytes_per_second,
                        limit->bytes_per_second / 1e9, limit->text);
  if (figure.cached_fraction() > kMostlyCold)
    line += fmt::format("   NOT COLD: {:.0f} % cached at the start", 100 * figure.cached_fraction());
  if (figure.foreign_cores() > kMostlyAlone)
    line += fmt::format("   DISTURBED: others kept {:.1f} cores busy", figure.foreign_cores());
  return line + "\n";
}

std::string corpus_text(const CorpusReport& corpus) {
  std::string text = fmt::format("\n{}: {}, {}", corpus.name, corpus.description, format_bytes(corpus.bytes));
  if (corpus.file_count > 0) text += fmt::format(" in {} file{}", corpus.file_count, corpus.file_count == 1 ? "" : "s");
  text += fmt::format("\n  {}\n", corpus.piece_cid_v2);
  text += fmt::format("  {:<36}{:>7}{:>9}{:>10}{:>7}{:>7}   {}\n", "", "threads", "GB/s", "per core", "MiB", "IO",
                      "share of the limit, GB/s");
  for (const Figure& figure : corpus.suite.figures()) text += figure_line(corpus.suite, figure);
  return text;
}

}  // namespace

Json bench_json(const BenchReport& report) {
  Json corpora = Json::array();
  for (const CorpusReport& corpus : report.corpora) corpora.push_back(corpus_json(corpus));
  return {{"version", version()},
          {"cpu", cpu_model()},
          {"system", system_name()},
          {"variants", active_variants_json()},
          {"thread_count", report.thread_count},
          {"rounds", report.round_count},
          {"smoke", report.smoke},
          {"commp_equals_scalar", true},  // else the command has failed
          {"corpora", corpora},
          {"seconds", report.seconds}};
}

std::string bench_text(const BenchReport& report) {
  std::string text = fmt::format("piecework {} on {}, {}\nkernels:", version(), cpu_model(), system_name());
  const Json variants = active_variants_json();
  for (const auto& [kernel, name] : variants.items()) text += fmt::format(" {}={}", kernel, name.get<std::string>());
  text += fmt::format("\nmedians of {} round{}, {:.0f} s; every commP equals the scalar kernels'\n", report.round_count,
                      report.round_count == 1 ? "" : "s", report.seconds);
  text +=
      "Bytes are the source's. Per core: bytes per second of processor time. MiB: the most that the packing process\n"
      "had resident. IO: share of the time in which anything on this machine waited for IO (PSI). Cold: pages dropped\n"
      "before each try, names and inodes still cached. Believe ratios inside one run.\n";
  for (const CorpusReport& corpus : report.corpora) text += corpus_text(corpus);
  return text;
}

}  // namespace piecework::tools
