#include "tools/stall_watch.h"

#include <algorithm>

namespace piecework::tools {

std::optional<StallChange> StallWatch::observe(double seconds, uint64_t moved) {
  const double elapsed_seconds = started_ ? std::min(seconds - last_seconds_, limit_seconds_ / 2) : 0;
  const bool has_moved = !started_ || moved != last_moved_;
  started_ = true;
  last_seconds_ = seconds;
  last_moved_ = moved;
  still_seconds_ += elapsed_seconds;
  const StallChange change{.is_stalled = !has_moved, .seconds = still_seconds_};
  if (has_moved) still_seconds_ = 0;
  const bool is_stalled = !has_moved && change.seconds >= limit_seconds_;
  if (has_moved ? !is_stalled_ : is_stalled_ || !is_stalled) return std::nullopt;
  is_stalled_ = is_stalled;
  return change;
}

}  // namespace piecework::tools
