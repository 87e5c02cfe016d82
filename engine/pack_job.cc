#include "engine/pack_job.h"

#include <fmt/format.h>
#include <oneapi/tbb/global_control.h>

#include <algorithm>
#include <numeric>

#include "engine/pack_plan.h"
#include "engine/pack_planned.h"
#include "engine/plan/check_sources.h"

namespace piecework::engine {
namespace {

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

// A batch that is done needs no source: asked again it says so even where the sources are gone.
Result<PackedBatch> pack_unless_done(const BatchWork& work, std::optional<SourceSet>& sources,
                                     const BatchStates& states, uint32_t batch) {
  PIECEWORK_ASSIGN(std::optional<Receipt> receipt, states.done_receipt(batch));
  const PlanSummary& plan = work.plan.summary();
  if (receipt) {
    PIECEWORK_TRY(remove_leftovers(plan, batch, work.output));
    return PackedBatch{.receipt = std::move(*receipt), .was_done = true};
  }
  if (!sources) {
    PIECEWORK_ASSIGN(sources, open_planned_sources(plan, work.request.sources));
  }
  return pack_planned_batch(work, batch, *sources);
}

Status pack_batches(const BatchWork& work, std::optional<SourceSet>& sources, PackReport& report) {
  const PackRequest& request = work.request;
  const PlanSummary& plan = work.plan.summary();
  PIECEWORK_ASSIGN(const std::vector<uint32_t> batches, wanted_batches(request, plan));
  if (request.observer != nullptr) request.observer->on_plan(plan, batches);
  uint64_t planned_bytes = 0;
  for (const uint32_t batch : batches) planned_bytes += plan.batches[batch].totals.car_bytes;
  if (request.progress != nullptr) request.progress->begin(planned_bytes);
  PIECEWORK_ASSIGN(const BatchStates states,
                   BatchStates::open(request.output_path, plan.digest_text(), request.store_car));
  for (const uint32_t batch : batches) {
    PIECEWORK_ASSIGN(PackedBatch packed, pack_unless_done(work, sources, states, batch));
    const uint64_t payload_bytes = packed.receipt.payload_bytes;
    if (!packed.was_done) report.packed_bytes += payload_bytes - packed.resumed_bytes;
    if (request.progress != nullptr && packed.was_done) request.progress->planned_bytes -= payload_bytes;
    if (request.progress != nullptr && !packed.was_done) request.progress->finish_batch(payload_bytes);
    if (request.observer != nullptr) request.observer->on_batch_done(packed);
    const std::vector<SkippedItem> left_out = left_out_of(packed.receipt, plan);
    report.plan.skipped.insert(report.plan.skipped.end(), left_out.begin(), left_out.end());
    report.batches.push_back(std::move(packed));
  }
  return {};
}

// A job from its plan to its last receipt.
class PackJob {
 public:
  PackJob(const PackRequest& request, const io::OutputDirectory& output, io::Backend& backend,
          const PipelineLimits& limits)
      : request_(request),
        output_(output),
        backend_(backend),
        settings_{.store_car = request.store_car,
                  .scratch_path = request.scratch_path,
                  .limits = limits,
                  .checkpoints = request.checkpoints,
                  .attempt_patience = request.attempt_patience,
                  .stop = request.stop,
                  .notice = request.notice,
                  .done_bytes = request.progress != nullptr ? &request.progress->batch_bytes : nullptr} {}

  Result<PackReport> run_existing_plan() {
    PIECEWORK_ASSIGN(const std::unique_ptr<PlanReader> plan, PlanReader::open(request_.plan_path));
    report_.plan = plan->summary();
    std::optional<SourceSet> sources;
    PIECEWORK_TRY(pack(*plan, sources));
    return std::move(report_);
  }

  Result<PackReport> run_sources() {
    PIECEWORK_ASSIGN(PlanChooser chooser, PlanChooser::open(request_, output_));
    for (;;) {
      // The plan fixes every byte: what follows only carries it out.
      PIECEWORK_ASSIGN(
          std::optional<SourceSet> sources,
          SourceSet::open(request_.sources, request_.sources.size() > 1,
                          request_.scratch_path.empty() ? output_.path() : request_.scratch_path, request_.stop));
      PIECEWORK_ASSIGN(const ChosenPlan plan, chooser.choose(*sources, excluded_));
      if (plan.reader == nullptr) return nothing_new(plan);

      // From here no decision about content is left; batches are independent of each other.
      const PackReport before = report_;
      report_.plan = plan.summary;
      const Status status = pack(*plan.reader, sources);
      if (status) {
        PIECEWORK_TRY(chooser.close(plan));
        if (!plan.was_begun) return std::move(report_);
        continue;  // the sources may hold more by now
      }
      PIECEWORK_TRY(leave_plan(chooser, plan, status.error()));
      // What is done of a plan that was open is known to the next one; of any other it is planned again.
      if (plan.open_name.empty()) report_ = before;
    }
  }

 private:
  Status pack(PlanReader& plan, std::optional<SourceSet>& sources) {
    return pack_batches({plan, request_, output_, backend_, settings_}, sources, report_);
  }

  PackReport nothing_new(const ChosenPlan& plan) {
    if (!report_.batches.empty()) return std::move(report_);  // an open plan was finished, and that was all
    report_.plan = plan.summary;
    if (request_.observer != nullptr) request_.observer->on_plan(plan.summary, {});
    return std::move(report_);
  }

  // A plan whose source failed is not gone on with where another can be made; else the error is the job's.
  Status leave_plan(const PlanChooser& chooser, const ChosenPlan& plan, const Error& error) {
    const bool is_source = error.side == ErrorSide::kSource && error.code != ErrorCode::kResourceExhausted;
    const bool is_skipped = request_.on_source_error == SourceErrorPolicy::kSkip && may_skip(error, plan.summary);
    if (!is_skipped && !(is_source && plan.was_begun)) return tl::unexpected<Error>(error);
    if (!plan.open_name.empty()) PIECEWORK_TRY(chooser.give_up(plan));
    if (plan.was_begun) {
      if (request_.warning) {
        request_.warning(fmt::format("the rest of plan {}, begun by an earlier run, is planned anew: {}",
                                     plan.summary.digest_text(), error.message));
      }
      return {};
    }
    if (request_.notice) request_.notice(fmt::format("left out: {}", error.message));
    const SkippedItem item{error.path, error.message, 0, 0};
    const auto by_path = [](const SkippedItem& a, const SkippedItem& b) { return a.path < b.path; };
    excluded_.insert(std::upper_bound(excluded_.begin(), excluded_.end(), item, by_path), item);
    return {};
  }

  const PackRequest& request_;
  const io::OutputDirectory& output_;
  io::Backend& backend_;
  const PackSettings settings_;
  std::vector<SkippedItem> excluded_;
  PackReport report_;
};

}  // namespace

Result<PackReport> run_pack_job(const PackRequest& request) {
  const tbb::global_control worker_bound(tbb::global_control::max_allowed_parallelism, request.thread_count + 1);
  PIECEWORK_ASSIGN(PipelineLimits limits, pipeline_limits(request.thread_count, request.memory_bytes));
  limits.events_per_run_max = request.events_per_run_max;
  PIECEWORK_ASSIGN(const io::OutputDirectory output, io::OutputDirectory::open_or_create(request.output_path));
  PIECEWORK_ASSIGN(const std::unique_ptr<io::Backend> backend, io::make_backend({.kind = request.backend}));
  if (request.notice) request.notice(backend->description());
  PackJob job(request, output, *backend, limits);
  return request.plan_path.empty() ? job.run_sources() : job.run_existing_plan();
}

}  // namespace piecework::engine
