#include "tools/pack_monitor.h"

#include <fmt/format.h>

#include "engine/piece/piece_size.h"
#include "tools/exit_code.h"
#include "tools/process.h"
#include "tools/replace_file.h"

namespace piecework::tools {
namespace {

Json plan_fields(const engine::PlanSummary& plan, const std::vector<uint32_t>& batches) {
  uint64_t file_count = 0;
  uint64_t source_bytes = 0;
  uint64_t car_bytes = 0;
  uint64_t padded_bytes = 0;
  for (const uint32_t batch : batches) {
    const engine::LayoutTotals& totals = plan.batches[batch].totals;
    file_count += totals.file_count;
    source_bytes += totals.source_bytes;
    car_bytes += totals.car_bytes;
    padded_bytes += engine::padded_bytes_for(totals.car_bytes);
  }
  return {{"plan_digest", plan.digest_text()}, {"plan_batch_count", plan.batches.size()},
          {"batch_count", batches.size()},     {"file_count", file_count},
          {"source_bytes", source_bytes},      {"car_bytes", car_bytes},
          {"padded_bytes", padded_bytes}};
}

Json skipped_fields(const engine::SkippedItem& item) {
  Json fields = Json::object();
  fields["batch"] = item.batch;
  set_path(fields, item.path);
  fields["reason"] = item.reason;
  return fields;
}

Json batch_done_fields(const engine::PackedBatch& batch) {
  const engine::Receipt& receipt = batch.receipt;
  return {{"batch", receipt.batch},
          {"was_done", batch.was_done},
          {"piece_cid_v1", receipt.piece_cid_v1},
          {"piece_cid_v2", receipt.piece_cid_v2},
          {"root_cid", receipt.root_cid},
          {"payload_bytes", receipt.payload_bytes},
          {"padded_bytes", receipt.padded_bytes},
          {"block_count", receipt.block_count},
          {"file_count", receipt.file_count}};
}

Json error_fields(int exit_code, const Error& error) {
  Json fields = {{"exit_code", exit_code},
                 {"class", name_of(error.code)},
                 {"side", name_of(error.side)},
                 {"message", printable(error.message)}};
  if (!error.path.empty()) set_path(fields, error.path);
  return fields;
}

}  // namespace

PackMonitor::PackMonitor(PackMonitorOptions options, const engine::PackProgress& progress)
    : options_(std::move(options)),
      progress_(progress),
      events_(options_.events_target),
      stalls_(std::chrono::duration<double>(options_.stall_limit).count()) {
  metrics_.output_path = options_.output_path;
  metrics_.task = options_.task;
  metrics_.start_time = std::chrono::system_clock::now();
  if (options_.events_target.empty() && options_.metrics_path.empty()) return;
  rate_.add(0, 0);
  write_metrics();
  ticker_.emplace(options_.interval, [this] { tick(); });
}

PackMonitor::~PackMonitor() = default;

void PackMonitor::on_plan(const engine::PlanSummary& plan, const std::vector<uint32_t>& batches) {
  std::vector<bool> is_wanted(plan.batches.size(), false);
  for (const uint32_t batch : batches) is_wanted[batch] = true;
  uint64_t skipped_item_count = 0;
  events_.write("plan", plan_fields(plan, batches));
  for (const engine::SkippedItem& item : plan.skipped) {
    if (item.batch >= is_wanted.size() || !is_wanted[item.batch]) continue;
    ++skipped_item_count;
    events_.write("item_skipped", skipped_fields(item));
  }
  const std::lock_guard lock(mutex_);
  metrics_.plan_digest = plan.digest_text();
  metrics_.batch_count = batches.size();
  metrics_.skipped_item_count = skipped_item_count;
  batch_.reset();
}

void PackMonitor::on_batch_started(const engine::PlannedBatch& batch) {
  {
    const std::lock_guard lock(mutex_);
    batch_ = batch.batch;
  }
  events_.write("batch_started", {{"batch", batch.batch},
                                  {"car_bytes", batch.totals.car_bytes},
                                  {"padded_bytes", engine::padded_bytes_for(batch.totals.car_bytes)},
                                  {"file_count", batch.totals.file_count}});
}

void PackMonitor::on_batch_done(const engine::PackedBatch& batch) {
  {
    const std::lock_guard lock(mutex_);
    batch_.reset();
    ++(batch.was_done ? metrics_.batches_done_before : metrics_.batches_packed);
  }
  events_.write("batch_done", batch_done_fields(batch));
}

void PackMonitor::finish(int exit_code, const Error* error) {
  ticker_.reset();
  const std::lock_guard lock(mutex_);
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  rate_.add(seconds, progress_.packed_bytes());
  write_stall_event(seconds);
  metrics_.exit_code = exit_code;
  if (error != nullptr) {
    metrics_.error = *error;
    Json fields = error_fields(exit_code, *error);
    if (batch_) fields["batch"] = *batch_;
    events_.write(exit_code == kExitStopped ? "stopped" : "error", fields);
  } else {
    events_.write("done", {{"exit_code", exit_code},
                           {"packed_bytes", progress_.packed_bytes()},
                           {"batches_packed", metrics_.batches_packed},
                           {"batches_done_before", metrics_.batches_done_before},
                           {"seconds", seconds}});
  }
  write_metrics();
}

void PackMonitor::tick() {
  const std::lock_guard lock(mutex_);
  const Clock::time_point now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - start_).count();
  rate_.add(seconds, progress_.packed_bytes());
  if (events_.is_open()) {
    events_.write("progress", progress_fields());
    write_stall_event(seconds);
  }
  if (now < next_metrics_) return;
  write_metrics();
}

void PackMonitor::write_stall_event(double seconds) {
  const uint64_t steps = progress_.packed_bytes() + progress_.plan.entries_seen.load() +
                         progress_.plan.read_bytes.load() + metrics_.batches_packed + metrics_.batches_done_before +
                         busy_steps();
  const std::optional<StallChange> change = stalls_.observe(seconds, steps);
  if (!change) return;
  Json fields = progress_fields();
  fields["seconds"] = change->seconds;
  events_.write(change->is_stalled ? "stalled" : "resumed", fields);
}

Json PackMonitor::progress_fields() {
  const bool has_plan = !metrics_.plan_digest.empty();
  Json fields = {{"phase", has_plan ? "packing" : "planning"}};
  if (has_plan) {
    fields["batch"] = batch_ ? Json(*batch_) : Json();
    fields["packed_bytes"] = progress_.packed_bytes();
    fields["planned_bytes"] = progress_.planned_bytes.load();
    fields["bytes_per_second"] = rate_.bytes_per_second();
  } else {
    fields["entry_count"] = progress_.plan.entries_seen.load();
    fields["read_bytes"] = progress_.plan.read_bytes.load();
  }
  return fields;
}

void PackMonitor::write_metrics() {
  if (options_.metrics_path.empty()) return;
  next_metrics_ = Clock::now() + options_.metrics_interval;
  metrics_.planned_bytes = progress_.planned_bytes.load();
  metrics_.packed_bytes = progress_.packed_bytes();
  metrics_.bytes_per_second = rate_.bytes_per_second();
  metrics_.resident_bytes = resident_bytes();
  metrics_.resident_bytes_max = resident_bytes_max();
  metrics_.update_time = std::chrono::system_clock::now();
  const Status written = replace_file(options_.metrics_path, format_pack_metrics(metrics_));
  if (written || warned_of_metrics_) return;
  warned_of_metrics_ = true;  // once: a full disk is not worth a line every few seconds
  print_message(fmt::format("warning: metrics: {}; the job goes on without", written.error().message));
}

}  // namespace piecework::tools
