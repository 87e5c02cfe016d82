// The estimator and its words.
#include "tools/progress_rate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/sizes.h"

namespace piecework::tools {
namespace {

// After so long a sample counts 1/e of what a new one does: long enough to be steady, short enough to follow a stall.
constexpr double kFadeSeconds = 10;
// Beyond this nothing useful can be said.
constexpr double kSecondsLeftMax = 100.0 * 86400;

}  // namespace

void RateEstimator::add(double seconds, uint64_t done_bytes) {
  const double elapsed_seconds = seconds - last_seconds_;
  if (started_ && elapsed_seconds <= 0) return;
  if (started_) {
    // A job that starts over goes back; nothing was done then, and less than nothing cannot be.
    const uint64_t new_bytes = done_bytes - std::min(done_bytes, last_bytes_);
    const double sample = static_cast<double>(new_bytes) / elapsed_seconds;
    const double kept = std::exp(-elapsed_seconds / kFadeSeconds);
    // Dividing by the weight so far makes the first samples count fully instead of fading in from zero.
    const double sum = bytes_per_second_ * weight_ * kept + sample * (1 - kept);
    weight_ = weight_ * kept + (1 - kept);
    bytes_per_second_ = sum / weight_;
  }
  started_ = true;
  last_seconds_ = seconds;
  last_bytes_ = done_bytes;
}

std::optional<double> RateEstimator::seconds_left(const ProgressSnapshot& snapshot) const {
  if (snapshot.total_bytes == 0 || bytes_per_second_ <= 0) return std::nullopt;
  const uint64_t left_bytes = snapshot.total_bytes - std::min(snapshot.done_bytes, snapshot.total_bytes);
  const double seconds = static_cast<double>(left_bytes) / bytes_per_second_;
  if (seconds > kSecondsLeftMax) return std::nullopt;
  return seconds;
}

std::string format_duration(double seconds) {
  const auto total = static_cast<uint64_t>(std::llround(std::max(seconds, 0.0)));
  const uint64_t days = total / 86400;
  const uint64_t hours = total / 3600 % 24;
  const uint64_t minutes = total / 60 % 60;
  if (days > 0) return fmt::format("{} d {:02}:{:02}", days, hours, minutes);
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, total % 60);
  return fmt::format("{}:{:02}", minutes, total % 60);
}

std::string format_stall(const StallChange& change, const ProgressSnapshot& snapshot) {
  if (!change.is_stalled) return "goes on after " + format_duration(change.seconds);
  std::string text = "stalled: nothing has moved for " + format_duration(change.seconds) + ", at " +
                     format_bytes(snapshot.done_bytes);
  if (snapshot.total_bytes > 0) text += " of " + format_bytes(snapshot.total_bytes);
  return text + "; waiting for a disk or another process";
}

std::string format_progress(const ProgressSnapshot& snapshot, const RateEstimator& rate) {
  std::string text = format_bytes(snapshot.done_bytes);
  if (snapshot.total_bytes > 0) {
    const double fraction = static_cast<double>(snapshot.done_bytes) / static_cast<double>(snapshot.total_bytes);
    text += fmt::format(" of {} ({:.0f} %)", format_bytes(snapshot.total_bytes),
                        std::min(100.0, std::floor(100 * fraction)));
  }
  text += ", " + format_rate(rate.bytes_per_second());
  if (const std::optional<double> seconds = rate.seconds_left(snapshot))
    text += ", " + format_duration(*seconds) + " left";
  return text;
}

}  // namespace piecework::tools
