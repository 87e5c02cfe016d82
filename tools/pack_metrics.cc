#include "tools/pack_metrics.h"

#include "tools/exit_code.h"
#include "tools/metrics_text.h"
#include "tools/process.h"
#include "tools/timestamps.h"

namespace piecework::tools {

std::string format_pack_metrics(const PackMetrics& metrics) {
  using enum MetricType;
  // The same labels from the first sample to the last: a series that changes its labels is two.
  MetricsText text({{"output", metrics.output_path}, {"task", metrics.task}});
  text.add("piecework_info", kGauge, "Version of the program.", uint64_t{1}, {{"version", std::string(version())}});
  if (!metrics.plan_digest.empty()) {
    text.add("piecework_plan_info", kGauge, "Digest of the plan at hand.", uint64_t{1},
             {{"plan_digest", metrics.plan_digest}});
  }
  text.add("piecework_planned_bytes", kGauge, "CAR bytes that this job packs; less what was done before.",
           metrics.planned_bytes);
  text.add("piecework_packed_bytes_total", kCounter, "CAR bytes that this job has packed.", metrics.packed_bytes);
  text.add("piecework_packing_bytes_per_second", kGauge, "CAR bytes packed a second, of late.",
           metrics.bytes_per_second);
  text.add("piecework_batches", kGauge, "Batches that this job is to do.", metrics.batch_count);
  text.add("piecework_batches_packed_total", kCounter, "Batches that this job has packed.", metrics.batches_packed);
  text.add("piecework_batches_done_before_total", kCounter, "Batches that this job found done already.",
           metrics.batches_done_before);
  text.add("piecework_skipped_items", kGauge, "Items that are left out of this job's batches.",
           metrics.skipped_item_count);
  text.add("piecework_resident_memory_bytes", kGauge, "Resident memory.", metrics.resident_bytes);
  text.add("piecework_resident_memory_peak_bytes", kGauge, "Largest resident memory so far.",
           metrics.resident_bytes_max);
  text.add("piecework_start_time_seconds", kGauge, "When the job began, in Unix time.",
           unix_seconds(metrics.start_time));
  text.add("piecework_update_time_seconds", kGauge, "When this file was written, in Unix time.",
           unix_seconds(metrics.update_time));
  text.add("piecework_running", kGauge, "1 until the job has ended.", uint64_t{metrics.exit_code ? 0u : 1u});
  if (metrics.exit_code) {
    text.add("piecework_exit_code", kGauge, "How the job ended.", static_cast<uint64_t>(*metrics.exit_code));
  }
  if (metrics.error) {
    text.add(
        "piecework_last_error", kGauge, "What ended the job, by class and side.", uint64_t{1},
        {{"class", std::string(name_of(metrics.error->code))}, {"side", std::string(name_of(metrics.error->side))}});
  }
  return text.text();
}

}  // namespace piecework::tools
