#include "engine/pack_planned.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/pack_plan.h"
#include "engine/plan/check_sources.h"
#include "engine/plan/lay_out_anew.h"
#include "engine/record/skip_list.h"

namespace piecework::engine {
namespace {

class PlannedBatchPacker {
 public:
  PlannedBatchPacker(const BatchWork& work, uint32_t batch, const SourceSet& sources, io::OutputDirectory receipts)
      : work_(work), batch_(batch), sources_(sources), receipts_(std::move(receipts)) {}

  Result<PackedBatch> run() {
    PIECEWORK_TRY(find_left_out());
    if (has_plan()) PIECEWORK_TRY(keep_plan(work_.request.plan_path, work_.plan.summary(), work_.output));
    bool is_announced = false;
    for (;;) {
      std::unique_ptr<PlanReader> anew;
      if (!left_out_.empty()) {
        PIECEWORK_ASSIGN(anew, lay_out());
      }
      PlanReader& plan = anew != nullptr ? *anew : work_.plan;
      PIECEWORK_ASSIGN(const bool is_complete, look_at_sources(plan));
      if (!is_complete) continue;

      PackObserver* const observer = work_.request.observer;
      if (observer != nullptr && !is_announced) observer->on_batch_started(plan.summary().batches[batch_]);
      is_announced = true;
      Result<PackedBatch> packed = pack_batch(plan, batch_, sources_, work_.output, work_.backend, work_.settings);
      if (packed) {
        PIECEWORK_TRY(remove_skip_list(receipts_, batch_));
        return packed;
      }
      if (!skips_ || !may_skip(packed.error(), work_.plan.summary())) return packed;
      PIECEWORK_TRY(leave_out({{packed.error().path, packed.error().message, 0, batch_}}));
    }
  }

 private:
  bool has_plan() const { return !work_.request.plan_path.empty(); }

  // A batch whose receipt is there and whose CAR is not is packed as the receipt says; else what an earlier attempt
  // left out stays out, unless this one is to fail of it.
  Status find_left_out() {
    const PlanSummary& plan = work_.plan.summary();
    PIECEWORK_ASSIGN(const std::optional<Receipt> receipt, read_receipt(receipts_, plan.digest_text(), batch_));
    if (receipt) {
      left_out_ = left_out_of(*receipt, plan);
      return {};
    }
    skips_ = has_plan() && work_.request.on_source_error == SourceErrorPolicy::kSkip && !sources_.holds_stores();
    PIECEWORK_ASSIGN(std::vector<SkippedItem> listed, read_skip_list(receipts_, batch_));
    if (listed.empty()) return {};
    if (skips_) {
      left_out_ = std::move(listed);
      return {};
    }
    PIECEWORK_TRY(remove_leftovers(plan, batch_, work_.output));
    return remove_skip_list(receipts_, batch_);
  }

  Result<std::unique_ptr<PlanReader>> lay_out() const {
    PIECEWORK_ASSIGN(const io::OutputDirectory plans, work_.output.subdirectory("plans"));
    PIECEWORK_ASSIGN(io::PublishedFile file, io::open_unshared(plans, "anew"));
    const PackRequest& request = work_.request;
    const AnewSettings settings{.plan_path = file.path(),
                                .scratch_path = request.scratch_path.empty() ? plans.path() : request.scratch_path,
                                .memory_bytes = request.memory_bytes,
                                .thread_count = request.thread_count,
                                .stop = request.stop};
    auto plan = lay_out_anew(work_.plan, batch_, left_out_, sources_, settings);
    PIECEWORK_TRY(file.discard());  // the reader has it open
    return plan;
  }

  // False: files failed and are left out from now on. Sources that this run has just planned are not looked at.
  Result<bool> look_at_sources(PlanReader& plan) {
    if (!has_plan()) return true;
    const unsigned thread_count = work_.request.thread_count;
    if (!skips_) {
      PIECEWORK_TRY(check_batch_sources(plan, batch_, sources_, thread_count, work_.request.stop));
      return true;
    }
    PIECEWORK_ASSIGN(std::vector<SkippedItem> failed,
                     find_failed_sources(plan, batch_, sources_, thread_count, work_.request.stop));
    if (failed.empty()) return true;
    PIECEWORK_TRY(leave_out(std::move(failed)));
    return false;
  }

  Status leave_out(std::vector<SkippedItem> items) {
    for (SkippedItem& item : items) {
      if (work_.request.notice) work_.request.notice(fmt::format("left out: {}", item.reason));
      left_out_.push_back(std::move(item));
    }
    std::sort(left_out_.begin(), left_out_.end(),
              [](const SkippedItem& a, const SkippedItem& b) { return a.path < b.path; });
    return write_skip_list(receipts_, batch_, left_out_);
  }

  const BatchWork& work_;
  const uint32_t batch_;
  const SourceSet& sources_;
  const io::OutputDirectory receipts_;
  std::vector<SkippedItem> left_out_;  // beyond the plan's: ascending by path
  bool skips_ = false;
};

}  // namespace

Result<PackedBatch> pack_planned_batch(const BatchWork& work, uint32_t batch, const SourceSet& sources) {
  PIECEWORK_ASSIGN(io::OutputDirectory receipts, receipts_directory(work.output, work.plan.summary().digest_text()));
  return PlannedBatchPacker(work, batch, sources, std::move(receipts)).run();
}

}  // namespace piecework::engine
