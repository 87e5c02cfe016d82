// `piecework bench`: speeds of this build on this machine, each beside the limit that the same run measured.
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "engine/codec/piece_cid.h"
#include "tools/bench_corpus.h"
#include "tools/bench_disk.h"
#include "tools/bench_memory.h"
#include "tools/bench_pack.h"
#include "tools/bench_report.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/measure.h"

namespace piecework::tools {
namespace {

constexpr size_t kMemorySegments = 128;
constexpr size_t kSmokeMemorySegments = 4;
constexpr const char* kMemoryCorpusName = "memory";

struct BenchFlags {
  std::string directory;
  std::vector<std::string> corpus_names;
  unsigned thread_count = 1;
  int round_count = 5;
  bool smoke = false;
  bool json = false;
};

std::string default_directory() {
  const char* directory = std::getenv("TMPDIR");
  return directory != nullptr && *directory != '\0' ? directory : "/tmp";
}

// 1, 2, 4, ... and the most.
std::vector<unsigned> thread_counts_to(unsigned thread_count_max) {
  std::vector<unsigned> counts;
  for (unsigned count = 1; count < thread_count_max; count *= 2) counts.push_back(count);
  counts.push_back(thread_count_max);
  return counts;
}

Status measure_memory(const MemoryCorpus& memory, BenchReport& report) {
  CorpusReport corpus{.name = kMemoryCorpusName, .description = "kernels and commP", .bytes = memory.bytes.size()};
  const Digest32 root = memory.scalar_root(1);
  corpus.commp = to_hex(root);
  corpus.piece_cid_v2 = engine::piece_cid_v2_text(root, memory.bytes.size());
  add_kernel_figures(corpus.suite, memory);
  add_memory_figures(corpus.suite, memory, thread_counts_to(report.thread_count));
  PIECEWORK_TRY(corpus.suite.run(report.round_count));
  report.corpora.push_back(std::move(corpus));
  return {};
}

// The corpus lies on the disk only meanwhile.
Status measure_on_disk(const std::string& name, const std::string& directory, const MemoryCorpus& memory,
                       BenchReport& report) {
  PIECEWORK_ASSIGN(const ScratchDirectory scratch, ScratchDirectory::create(directory));
  PIECEWORK_ASSIGN(const DiskCorpus disk, make_disk_corpus(name, scratch.path(), memory, report.smoke));
  CorpusReport corpus{.name = name,
                      .description = disk_corpus_description(name),
                      .bytes = disk.bytes,
                      .file_count = disk.files.size()};
  ExpectedPiece expected;
  add_kernel_figures(corpus.suite, memory);
  add_disk_figures(corpus.suite, memory, disk, scratch.path());
  add_pack_figures(corpus.suite, memory, disk, scratch.path(), thread_counts_to(report.thread_count), expected);
  PIECEWORK_TRY(corpus.suite.run(report.round_count));
  corpus.piece_cid_v2 = expected.piece_cid_v2;
  report.corpora.push_back(std::move(corpus));
  return {};
}

Status measure(const BenchFlags& flags, BenchReport& report) {
  const MemoryCorpus memory = make_memory_corpus(flags.smoke ? kSmokeMemorySegments : kMemorySegments);
  for (const std::string& name : flags.corpus_names) {
    PIECEWORK_TRY(name == kMemoryCorpusName ? measure_memory(memory, report)
                                            : measure_on_disk(name, flags.directory, memory, report));
  }
  return {};
}

Result<int> run_bench(const BenchFlags& flags) {
  BenchReport report{.thread_count = flags.thread_count,
                     .round_count = flags.smoke ? 1 : flags.round_count,
                     .smoke = flags.smoke};
  Status finished;
  report.seconds = seconds_of([&] { finished = measure(flags, report); });
  PIECEWORK_TRY(finished);
  PIECEWORK_TRY(flags.json ? print_json(bench_json(report)) : print_text(bench_text(report)));
  return kExitDone;
}

std::vector<std::string> corpus_names() {
  std::vector<std::string> names = disk_corpus_names();
  names.insert(names.begin(), kMemoryCorpusName);
  return names;
}

}  // namespace

void add_bench_command(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<BenchFlags>();
  flags->directory = default_directory();
  flags->corpus_names = corpus_names();
  CLI::App* command = add_command(app, {.name = "bench",
                                        .summary = "Speeds of this build beside this machine's limits",
                                        .example = "piecework bench --dir /data/scratch --json"});
  command
      ->add_option("--dir", flags->directory,
                   "Where to put one corpus and its CAR at a time, 4 GB at most (default: $TMPDIR or /tmp)")
      ->type_name("DIR");
  command->add_option("--corpus", flags->corpus_names, "Only these: memory, large, small, web, duplicates, flatfs")
      ->type_name("NAME...")
      ->check(CLI::IsMember(corpus_names()));
  command->add_option("--rounds", flags->round_count, "Rounds to take medians of")
      ->type_name("N")
      ->check(CLI::Range(1, 1000));
  command->add_flag("--smoke", flags->smoke, "One round over tiny corpora: does it run at all?");
  add_threads_flag(*command, flags->thread_count);
  add_json_flag(*command, flags->json);
  command->callback([flags, &invocation] { invocation.run = [flags] { return run_bench(*flags); }; });
}

}  // namespace piecework::tools
