// --metrics-file: what a pack has done, as Prometheus metrics.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "kernels/base/error.h"

namespace piecework::tools {

// A job at one moment.
struct PackMetrics {
  std::string output_path;
  std::string task;         // a batch's number, "auto" until it is known, or "all"
  std::string plan_digest;  // empty before there is a plan
  uint64_t planned_bytes = 0;
  uint64_t packed_bytes = 0;
  double bytes_per_second = 0;
  uint64_t batch_count = 0;  // that the job is to do
  uint64_t batches_packed = 0;
  uint64_t batches_done_before = 0;
  uint64_t skipped_item_count = 0;
  uint64_t resident_bytes = 0;
  uint64_t resident_bytes_max = 0;
  std::chrono::system_clock::time_point start_time;
  std::chrono::system_clock::time_point update_time;
  std::optional<int> exit_code;  // once the job has ended
  std::optional<Error> error;    // that ended it
};

// The file's text.
std::string format_pack_metrics(const PackMetrics& metrics);

}  // namespace piecework::tools
