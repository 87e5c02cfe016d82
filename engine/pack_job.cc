#include "engine/pack_job.h"

#include <fmt/format.h>
#include <oneapi/tbb/global_control.h>
#include <unistd.h>

#include <algorithm>

#include "io/host_identity.h"

namespace piecework::engine {
namespace {

// What the program needs beside the pipeline's slots: code, plan frames, kernels' stacks, waiting segments,
// compressors.
constexpr uint64_t kBaseBytes = 40 * kMiB;
constexpr uint64_t kSlotBytes = 8 * kMiB;
// A run's events, names and spool beside its buffer.
constexpr uint64_t kSlotOverheadBytes = 3 * kMiB;

Result<std::pair<uint64_t, uint64_t>> identity_of(const io::OutputDirectory& output) {
  PIECEWORK_ASSIGN(const io::FileStamp stamp, io::stamp_fd(output.fd(), ErrorSide::kDestination, output.path()));
  return std::pair{stamp.device, stamp.inode};
}

// Makes the plan in DIR/plans under its digest; an equal plan that is there already is used.
Result<std::unique_ptr<PlanReader>> make_stored_plan(const SourceSet& sources, const PackRequest& request,
                                                     const io::OutputDirectory& output,
                                                     const std::vector<SkippedItem>& excluded) {
  PIECEWORK_ASSIGN(const io::OutputDirectory plans, output.subdirectory("plans"));
  PIECEWORK_ASSIGN(const auto identity, identity_of(output));
  // Names of this machine's processes alone: others, that share the directory, may have the same numbers.
  const std::string prefix = fmt::format("plan-{}-", io::host_identity().short_name());
  PIECEWORK_TRY(io::remove_abandoned(plans, prefix));
  PIECEWORK_ASSIGN(
      std::optional<io::PublishedFile> file,
      io::PublishedFile::open(plans, fmt::format("{}{}", prefix, getpid()), io::PublishedFile::Mode::kFresh));
  if (!file) return fail(ErrorCode::kConflict, ErrorSide::kInternal, "a temporary plan of this process is locked");
  const PlanRequest plan_request{.options = request.options,
                                 .on_source_error = request.on_source_error,
                                 .excluded_directories = {identity},
                                 .excluded_items = excluded,
                                 .thread_count = request.thread_count,
                                 .stop = request.stop,
                                 .progress = request.progress != nullptr ? &request.progress->plan : nullptr};
  PIECEWORK_ASSIGN(const PlanSummary summary, make_plan(sources, plan_request, file->path()));
  PIECEWORK_ASSIGN(const io::CommitOutcome outcome, file->commit(summary.digest_text()));
  if (outcome == io::CommitOutcome::kAlreadyExists) PIECEWORK_TRY(file->discard());
  return PlanReader::open(plans.path_of(summary.digest_text()));
}

Status pack_batches(PlanReader& plan, const SourceSet& sources, const PackRequest& request,
                    const io::OutputDirectory& output, io::Backend& backend, const PackSettings& settings,
                    PackReport& report) {
  PackProgress* progress = request.progress;
  std::vector<uint32_t> batches = request.batches;
  if (batches.empty()) {
    for (const PlannedBatch& batch : plan.summary().batches) batches.push_back(batch.batch);
  }
  if (progress != nullptr) {
    uint64_t planned_bytes = 0;
    for (const uint32_t batch : batches) planned_bytes += plan.summary().batches[batch].totals.car_bytes;
    progress->planned_bytes = planned_bytes;
    progress->finished_bytes = 0;
  }
  for (const uint32_t batch : batches) {
    PIECEWORK_ASSIGN(PackedBatch packed, pack_batch(plan, batch, sources, output, backend, settings));
    if (progress != nullptr) {
      progress->batch_bytes = 0;
      progress->finished_bytes += packed.receipt.payload_bytes;
    }
    if (!packed.was_done) report.packed_bytes += packed.receipt.payload_bytes - packed.resumed_bytes;
    report.batches.push_back(std::move(packed));
  }
  return {};
}

Status check_batches(const PackRequest& request, const PlanSummary& plan) {
  for (const uint32_t batch : request.batches) {
    if (batch < plan.batches.size()) continue;
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("the plan has no batch {}: it has {}, counted from 0", batch, plan.batches.size()));
  }
  return {};
}

}  // namespace

Result<PipelineLimits> pipeline_limits(unsigned thread_count, uint64_t memory_bytes) {
  PipelineLimits limits;
  limits.thread_count = thread_count;
  limits.slot_bytes = kSlotBytes;
  const uint64_t for_slots = memory_bytes > kBaseBytes ? memory_bytes - kBaseBytes : 0;
  const uint64_t affordable = for_slots / (kSlotBytes + kSlotOverheadBytes);
  constexpr uint64_t kSlotsMin = 2;
  if (affordable < kSlotsMin) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("--memory {} bytes is too little: at least {} are needed", memory_bytes,
                            kBaseBytes + kSlotsMin * (kSlotBytes + kSlotOverheadBytes)));
  }
  // Each worker has one run at hand, one is being read and one written; more would only hold memory.
  limits.slot_count = static_cast<uint32_t>(std::min<uint64_t>(affordable, thread_count + 4));
  return limits;
}

Result<PackReport> run_pack_job(const PackRequest& request) {
  const tbb::global_control worker_bound(tbb::global_control::max_allowed_parallelism, request.thread_count + 1);
  PIECEWORK_ASSIGN(PipelineLimits limits, pipeline_limits(request.thread_count, request.memory_bytes));
  limits.events_per_run_max = request.events_per_run_max;
  PIECEWORK_ASSIGN(const io::OutputDirectory output, io::OutputDirectory::open_or_create(request.output_path));
  PIECEWORK_ASSIGN(const std::unique_ptr<io::Backend> backend, io::make_backend({.kind = request.backend}));
  if (request.notice) request.notice(backend->description());

  std::vector<SkippedItem> excluded;
  for (;;) {
    // The plan fixes every byte: what follows only carries it out.
    std::unique_ptr<PlanReader> plan;
    if (!request.plan_path.empty()) {
      PIECEWORK_ASSIGN(plan, PlanReader::open(request.plan_path));
    }
    const bool join = plan ? plan->summary().root_joins_sources : request.sources.size() > 1;
    PIECEWORK_ASSIGN(const SourceSet sources, SourceSet::open(plan ? plan->summary().sources : request.sources, join));
    if (!plan) {
      PIECEWORK_ASSIGN(plan, make_stored_plan(sources, request, output, excluded));
    }
    PIECEWORK_TRY(check_batches(request, plan->summary()));

    // From here no decision about content is left; batches are independent of each other.
    PackReport report;
    report.plan = plan->summary();
    const PackSettings settings{.store_car = request.store_car,
                                .limits = limits,
                                .checkpoints = request.checkpoints,
                                .stop = request.stop,
                                .notice = request.notice,
                                .done_bytes = request.progress != nullptr ? &request.progress->batch_bytes : nullptr};
    const Status status = pack_batches(*plan, sources, request, output, *backend, settings, report);
    if (status) return report;
    const Error& error = status.error();
    const bool may_skip = request.on_source_error == SourceErrorPolicy::kSkip && request.plan_path.empty() &&
                          error.side == ErrorSide::kSource && !error.path.empty();
    if (!may_skip) return tl::unexpected<Error>(error);
    if (request.notice) request.notice(fmt::format("left out: {}", error.message));
    const SkippedItem item{error.path, error.message, 0, 0};
    const auto by_path = [](const SkippedItem& a, const SkippedItem& b) { return a.path < b.path; };
    excluded.insert(std::upper_bound(excluded.begin(), excluded.end(), item, by_path), item);
  }
}

}  // namespace piecework::engine
