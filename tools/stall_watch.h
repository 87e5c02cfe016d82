// Whether work stands still: nothing has moved for a while although it is not over. Pure: time comes from the caller.
#pragma once

#include <cstdint>
#include <optional>

namespace piecework::tools {

// Work that stands still, or goes on again.
struct StallChange {
  bool is_stalled = false;
  double seconds = 0;  // stalled: since when nothing has moved; else: how long nothing had
};

// Thread-compatible.
class StallWatch {
 public:
  explicit StallWatch(double limit_seconds) : limit_seconds_(limit_seconds) {}

  // To be called several times within the limit. `seconds` since any fixed moment, not decreasing; `moved` is a counter
  // of what was done, in either direction. Says once that it stalls, and once that it goes on. Time in which nobody
  // called does not count beyond half of the limit: then the whole process stood still, not what it waits for.
  std::optional<StallChange> observe(double seconds, uint64_t moved);

 private:
  const double limit_seconds_;
  bool started_ = false;
  bool is_stalled_ = false;
  double last_seconds_ = 0;
  double still_seconds_ = 0;
  uint64_t last_moved_ = 0;
};

}  // namespace piecework::tools
