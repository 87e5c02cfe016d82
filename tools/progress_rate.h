// How fast work goes and how long it still takes, from samples of a counter. Pure: time comes from the caller.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tools/stall_watch.h"

namespace piecework::tools {

// What is done and what there is. `total_bytes` 0: not known.
struct ProgressSnapshot {
  uint64_t done_bytes = 0;
  uint64_t total_bytes = 0;
  uint64_t other_steps = 0;  // of work that is not counted in bytes; it moves as long as this does
};

// A rate that follows the last ten seconds or so: samples fade with age, however far apart they are. Thread-compatible.
class RateEstimator {
 public:
  // `seconds` since any fixed moment, not decreasing. `done_bytes` may go back where work is started over.
  void add(double seconds, uint64_t done_bytes);
  // Bytes per second; 0 before there are two samples at different times.
  [[nodiscard]] double bytes_per_second() const { return bytes_per_second_; }
  // Seconds until `snapshot.total_bytes`; nothing where the total is unknown or nothing moves.
  [[nodiscard]] std::optional<double> seconds_left(const ProgressSnapshot& snapshot) const;

 private:
  bool started_ = false;
  double last_seconds_ = 0;
  uint64_t last_bytes_ = 0;
  double weight_ = 0;  // of all samples so far, in [0, 1)
  double bytes_per_second_ = 0;
};

// "0:07", "12:34", "1:02:03", "3 d 04:05".
std::string format_duration(double seconds);

// "12.3 GiB of 31.8 GiB (39 %), 1.21 GB/s, 0:16 left"; without the total where it is unknown.
std::string format_progress(const ProgressSnapshot& snapshot, const RateEstimator& rate);

// "stalled: nothing has moved for 0:10, at 12.3 GiB of 31.8 GiB; waiting for a disk or another process", "goes on after
// 1:23".
std::string format_stall(const StallChange& change, const ProgressSnapshot& snapshot);

}  // namespace piecework::tools
