#include "engine/pack_job.h"

#include <fmt/format.h>
#include <oneapi/tbb/global_control.h>

#include <algorithm>
#include <numeric>

namespace piecework::engine {
namespace {

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
  PIECEWORK_ASSIGN(io::PublishedFile file, io::open_unshared(plans, "plan"));
  const PlanRequest plan_request{.options = request.options,
                                 .on_source_error = request.on_source_error,
                                 .excluded_directories = {identity},
                                 .excluded_items = excluded,
                                 .roots_path = request.roots_path,
                                 .scratch_path = plans.path(),
                                 .thread_count = request.thread_count,
                                 .stop = request.stop,
                                 .warning = request.warning,
                                 .progress = request.progress != nullptr ? &request.progress->plan : nullptr};
  PIECEWORK_ASSIGN(const PlanSummary summary, make_plan(sources, plan_request, file.path()));
  PIECEWORK_ASSIGN(const io::CommitOutcome outcome, file.commit(summary.digest_text()));
  if (outcome == io::CommitOutcome::kAlreadyExists) PIECEWORK_TRY(file.discard());
  return PlanReader::open(plans.path_of(summary.digest_text()));
}

// The batches that the request asks for. Errors: kInvalidArgument where the plan has no such batch.
Result<std::vector<uint32_t>> wanted_batches(const PackRequest& request, const PlanSummary& plan) {
  for (const uint32_t batch : request.batches) {
    if (batch < plan.batches.size()) continue;
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("the plan has no batch {}: it has {}, counted from 0", batch, plan.batches.size()));
  }
  if (!request.batches.empty()) return request.batches;
  std::vector<uint32_t> batches(plan.batches.size());
  std::iota(batches.begin(), batches.end(), 0);
  return batches;
}

// What a batch needs; `sources` of an existing plan are opened when the first batch needs them.
struct BatchWork {
  PlanReader& plan;
  std::optional<SourceSet>& sources;
  const io::OutputDirectory& output;
  io::Backend& backend;
  const PackSettings& settings;
};

// A file or directory where the plan saw a store, or the other way round, cannot be read as planned.
Status check_kinds(const std::vector<Source>& planned, const std::vector<Source>& found) {
  for (size_t i = 0; i < planned.size(); ++i) {
    if (planned[i].kind == found[i].kind) continue;
    return fail(
        ErrorCode::kChanged, ErrorSide::kSource,
        fmt::format("source '{}' is of another kind than the plan saw (file, directory, kubo repository or CAR); "
                    "make the plan again",
                    printable(planned[i].path)));
  }
  return {};
}

// A batch that is done needs no source: asked again it says so even where the sources are gone.
Result<PackedBatch> pack_unless_done(const BatchWork& work, const BatchStates& states, uint32_t batch,
                                     PackObserver* observer) {
  PIECEWORK_ASSIGN(std::optional<Receipt> receipt, states.done_receipt(batch));
  const PlanSummary& plan = work.plan.summary();
  if (receipt) {
    PIECEWORK_TRY(remove_leftovers(plan, batch, work.output));
    return PackedBatch{.receipt = std::move(*receipt), .was_done = true};
  }
  if (!work.sources) {
    if (plan.sources.empty()) {
      return fail(ErrorCode::kCorrupt, ErrorSide::kConfig, "the plan names no source; make the plan again");
    }
    PIECEWORK_ASSIGN(work.sources, SourceSet::open(plan.sources, plan.root_joins_sources));
    PIECEWORK_TRY(check_kinds(plan.sources, work.sources->sources()));
  }
  if (observer != nullptr) observer->on_batch_started(plan.batches[batch]);
  return pack_batch(work.plan, batch, *work.sources, work.output, work.backend, work.settings);
}

Status pack_batches(const BatchWork& work, const PackRequest& request, PackReport& report) {
  const PlanSummary& plan = work.plan.summary();
  PIECEWORK_ASSIGN(const std::vector<uint32_t> batches, wanted_batches(request, plan));
  if (request.observer != nullptr) request.observer->on_plan(plan, batches);
  uint64_t planned_bytes = 0;
  for (const uint32_t batch : batches) planned_bytes += plan.batches[batch].totals.car_bytes;
  if (request.progress != nullptr) request.progress->begin(planned_bytes);
  PIECEWORK_ASSIGN(const BatchStates states,
                   BatchStates::open(request.output_path, plan.digest_text(), request.store_car));
  for (const uint32_t batch : batches) {
    PIECEWORK_ASSIGN(PackedBatch packed, pack_unless_done(work, states, batch, request.observer));
    const uint64_t payload_bytes = packed.receipt.payload_bytes;
    if (!packed.was_done) report.packed_bytes += payload_bytes - packed.resumed_bytes;
    if (request.progress != nullptr && packed.was_done) request.progress->planned_bytes -= payload_bytes;
    if (request.progress != nullptr && !packed.was_done) request.progress->finish_batch(payload_bytes);
    if (request.observer != nullptr) request.observer->on_batch_done(packed);
    report.batches.push_back(std::move(packed));
  }
  return {};
}

}  // namespace

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
    std::optional<SourceSet> sources;
    std::unique_ptr<PlanReader> plan;
    if (request.plan_path.empty()) {
      PIECEWORK_ASSIGN(sources,
                       SourceSet::open(request.sources, request.sources.size() > 1, output.path(), request.stop));
      PIECEWORK_ASSIGN(plan, make_stored_plan(*sources, request, output, excluded));
    } else {
      PIECEWORK_ASSIGN(plan, PlanReader::open(request.plan_path));
    }

    // From here no decision about content is left; batches are independent of each other.
    PackReport report;
    report.plan = plan->summary();
    const PackSettings settings{.store_car = request.store_car,
                                .limits = limits,
                                .checkpoints = request.checkpoints,
                                .stop = request.stop,
                                .notice = request.notice,
                                .done_bytes = request.progress != nullptr ? &request.progress->batch_bytes : nullptr};
    const Status status = pack_batches({*plan, sources, output, *backend, settings}, request, report);
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
