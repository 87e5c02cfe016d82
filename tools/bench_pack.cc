// Runs of the pack job over the corpora.
#include "tools/bench_pack.h"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>

#include "engine/codec/piece_cid.h"
#include "engine/pack_job.h"
#include "engine/piece/commp.h"
#include "tools/measure.h"
#include "tools/memory_budget.h"
#include "tools/plan_flags.h"
#include "tools/process.h"

namespace piecework::tools {
namespace {

// One job, repeated: what it packs, and the piece that its first try gave.
struct PackTry {
  std::filesystem::path source;
  std::filesystem::path scratch;
  unsigned thread_count = 1;
  std::string piece_cid_v2;
};

Result<engine::PackRequest> make_request(const PackTry& job, const std::filesystem::path& output) {
  PlanFlags flags;
  flags.sources = {job.source.native()};
  flags.dedup = "none";
  engine::PackRequest request;
  request.sources = sources_of(flags);
  PIECEWORK_ASSIGN(request.options, plan_options(flags));
  request.output_path = output.native();
  request.thread_count = job.thread_count;
  PIECEWORK_ASSIGN(const MemoryBudget budget, memory_budget(0, job.thread_count));
  request.memory_bytes = budget.bytes;
  request.stop = &stop_requested();
  return request;
}

Status check_piece(PackTry& job, const engine::Receipt& receipt, const std::filesystem::path& output) {
  if (!job.piece_cid_v2.empty()) {
    if (receipt.piece_cid_v2 == job.piece_cid_v2) return {};
    return fail(ErrorCode::kConflict, ErrorSide::kInternal, "bench: pack gave another piece than before");
  }
  const std::filesystem::path car = output / engine::car_name(receipt.piece_cid_v1);
  PIECEWORK_ASSIGN(const engine::Commp commp,
                   engine::commp_of_file(car.native(), {.thread_count = job.thread_count, .stop = &stop_requested()}));
  if (engine::piece_cid_v2_text(commp.root, commp.payload_bytes) != receipt.piece_cid_v2)
    return fail(ErrorCode::kConflict, ErrorSide::kInternal, "bench: the CAR's commP is not the receipt's");
  job.piece_cid_v2 = receipt.piece_cid_v2;
  return {};
}

Result<double> measure_pack(PackTry& job) {
  PIECEWORK_ASSIGN(const ScratchDirectory output, ScratchDirectory::create(job.scratch));
  PIECEWORK_ASSIGN(const engine::PackRequest request, make_request(job, output.path()));
  Result<engine::PackReport> report;
  const double seconds = seconds_of([&] { report = engine::run_pack_job(request); });
  if (!report) return tl::unexpected<Error>(report.error());
  PIECEWORK_CHECK(report->batches.size() == 1);
  const engine::Receipt& receipt = report->batches.front().receipt;
  PIECEWORK_TRY(check_piece(job, receipt, output.path()));
  return static_cast<double>(receipt.payload_bytes) / seconds;
}

Figure pack_figure(const std::filesystem::path& source, const DiskCorpus& corpus, unsigned thread_count) {
  const auto job = std::make_shared<PackTry>();
  job->source = source;
  job->scratch = corpus.large_file.parent_path();
  job->thread_count = thread_count;
  return {.measure = [job] { return measure_pack(*job); }};
}

}  // namespace

void add_pack_figures(BenchSuite& suite, const DiskCorpus& corpus, unsigned thread_count) {
  Figure large = pack_figure(corpus.large_file, corpus, thread_count);
  large.name = "pack_large_file";
  large.description = fmt::format("pack of the large file, warm, {} threads", thread_count);
  large.limit_names = {"copy", "block_digests_1mib", "node_kernel"};
  large.limit_factor = thread_count;
  suite.add(std::move(large));

  Figure small = pack_figure(corpus.small_files, corpus, thread_count);
  small.name = "pack_small_files";
  small.description = fmt::format("pack of 16 KiB files, warm, {} threads", thread_count);
  small.limit_names = {"small_files_read", "block_digests_16kib", "node_kernel"};
  small.limit_factor = thread_count;
  suite.add(std::move(small));
}

}  // namespace piecework::tools
