// `piecework bench`: speeds of this build on this machine, each beside the limit that the same run measured.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "engine/codec/piece_cid.h"
#include "kernels/variant.h"
#include "tools/bench_disk.h"
#include "tools/bench_memory.h"
#include "tools/bench_pack.h"
#include "tools/bench_suite.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/json_output.h"
#include "tools/machine.h"
#include "tools/measure.h"
#include "tools/sizes.h"

namespace piecework::tools {
namespace {

struct BenchFlags {
  std::string directory;
  unsigned thread_count = 1;
  int round_count = 7;
  bool smoke = false;
  bool json = false;
};

constexpr size_t kCorpusSegments = 128;
constexpr size_t kSmokeCorpusSegments = 4;
constexpr DiskCorpusOptions kDiskCorpus{.large_file_copies = 8, .small_file_count = 10000};
constexpr DiskCorpusOptions kSmokeDiskCorpus{.large_file_copies = 2, .small_file_count = 50};

std::string default_directory() {
  const char* directory = std::getenv("TMPDIR");
  return directory != nullptr && *directory != '\0' ? directory : "/tmp";
}

struct BenchReport {
  BenchSuite suite;
  std::string piece_cid_v2;  // of the corpus in memory: the hash of the result
  double seconds = 0;
};

Status run_suite(const BenchFlags& flags, BenchReport& report) {
  const MemoryCorpus memory = make_memory_corpus(flags.smoke ? kSmokeCorpusSegments : kCorpusSegments);
  report.piece_cid_v2 = engine::piece_cid_v2_text(memory.scalar_root(1), memory.bytes.size());
  PIECEWORK_ASSIGN(const ScratchDirectory scratch, ScratchDirectory::create(flags.directory));
  PIECEWORK_ASSIGN(const DiskCorpus disk,
                   make_disk_corpus(scratch.path(), memory, flags.smoke ? kSmokeDiskCorpus : kDiskCorpus));
  add_memory_figures(report.suite, memory, flags.thread_count);
  add_disk_figures(report.suite, memory, disk, flags.thread_count);
  add_pack_figures(report.suite, disk, flags.thread_count);
  return report.suite.run(flags.smoke ? 1 : flags.round_count);
}

Json active_variants_json() {
  Json active = Json::object();
  for (const kernels::VariantInfo& variant : all_variants())
    if (variant.active) active[std::string(variant.kernel)] = variant.name;
  return active;
}

Json figure_json(const BenchSuite& suite, const Figure& figure) {
  Json object = {
      {"name", figure.name}, {"description", figure.description}, {"bytes_per_second", figure.bytes_per_second()}};
  if (const double limit = suite.limit_of(figure); limit > 0) {
    object["limit"] = figure.limit_text();
    object["limit_bytes_per_second"] = limit;
    object["fraction_of_limit"] = figure.bytes_per_second() / limit;
  }
  return object;
}

Json as_json(const BenchFlags& flags, const BenchReport& report) {
  Json figures = Json::array();
  for (const Figure& figure : report.suite.figures()) figures.push_back(figure_json(report.suite, figure));
  return {{"version", version()},
          {"cpu", cpu_model()},
          {"system", system_name()},
          {"variants", active_variants_json()},
          {"thread_count", flags.thread_count},
          {"rounds", flags.smoke ? 1 : flags.round_count},
          {"smoke", flags.smoke},
          {"commp_equals_scalar", true},  // else the command has failed
          {"piece_cid_v2", report.piece_cid_v2},
          {"figures", figures},
          {"seconds", report.seconds}};
}

std::string as_text(const BenchFlags& flags, const BenchReport& report) {
  std::string text = fmt::format("piecework {} on {}, {}\nkernels:", version(), cpu_model(), system_name());
  const Json variants = active_variants_json();
  for (const auto& [kernel, name] : variants.items()) text += fmt::format(" {}={}", kernel, name.get<std::string>());
  text += fmt::format("\nmedians of {} rounds, {:.0f} s; commP equals the scalar kernels' every time\n\n",
                      flags.smoke ? 1 : flags.round_count, report.seconds);
  for (const Figure& figure : report.suite.figures()) {
    text += fmt::format("{:<52} {:>11}", figure.description, format_rate(figure.bytes_per_second()));
    if (const double limit = report.suite.limit_of(figure); limit > 0)
      text += fmt::format("  {:>5.2f} x {} ({})", figure.bytes_per_second() / limit, figure.limit_text(),
                          format_rate(limit));
    text += "\n";
  }
  return text;
}

Result<int> run_bench(const BenchFlags& flags) {
  BenchReport report;
  Status finished;
  report.seconds = seconds_of([&] { finished = run_suite(flags, report); });
  PIECEWORK_TRY(finished);
  PIECEWORK_TRY(flags.json ? print_json(as_json(flags, report)) : print_text(as_text(flags, report)));
  return kExitDone;
}

}  // namespace

void add_bench_command(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<BenchFlags>();
  flags->directory = default_directory();
  CLI::App* command = add_command(app, {.name = "bench",
                                        .summary = "Speeds of this build beside this machine's limits",
                                        .example = "piecework bench --dir /data/scratch --json"});
  command->add_option("--dir", flags->directory, "Where to put the corpora while it runs (default: $TMPDIR or /tmp)")
      ->type_name("DIR");
  command->add_option("--rounds", flags->round_count, "Rounds to take medians of")
      ->type_name("N")
      ->check(CLI::Range(1, 1000));
  command->add_flag("--smoke", flags->smoke, "One round over tiny corpora: does it run at all?");
  add_threads_flag(*command, flags->thread_count);
  add_json_flag(*command, flags->json);
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_bench(*flags); }; });
}

}  // namespace piecework::tools
