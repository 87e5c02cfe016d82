// Progress of long work on stderr: a line that redraws itself on a terminal, a line every 30 s elsewhere. Work that
// stands still is said at once in a line that stays, and again when it goes on.
//
// The engine counts in atomics and knows nothing of this; the printer samples them on a thread of its own, so that a
// stalled disk is seen as a stall.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "tools/progress_rate.h"
#include "tools/stall_watch.h"
#include "tools/ticker.h"

namespace piecework::tools {

// Longer than what is normal for a disk.
inline constexpr std::chrono::milliseconds kStallLimit{10'000};

// Where progress goes, and how often.
struct ProgressOutput {
  bool is_terminal = false;                               // lines replace each other
  std::chrono::milliseconds line_interval{30'000};        // from one line to the next
  std::chrono::milliseconds stall_limit = kStallLimit;    // nothing moved or was computed for so long: a stall
  std::function<void(const std::string& text)> put_text;  // called on the printer's thread and by its destructor
};

// kStallLimit; in test builds what PIECEWORK_STALL says.
std::chrono::milliseconds stall_limit();

// stderr, with a line every 250 ms on a terminal and every 30 s elsewhere.
ProgressOutput standard_error_output();

class ProgressPrinter {
 public:
  // `sample` is called on the printer's thread until the destructor returns: it may only read what is safe to read
  // there, and what it reads outlives the printer. `label` ("packing") begins every line.
  ProgressPrinter(std::string label, std::function<ProgressSnapshot()> sample,
                  ProgressOutput output = standard_error_output());
  // Stops the thread and clears the terminal's line.
  ~ProgressPrinter();
  ProgressPrinter(const ProgressPrinter&) = delete;
  ProgressPrinter& operator=(const ProgressPrinter&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  void tick();

  const std::string label_;
  const std::function<ProgressSnapshot()> sample_;
  const ProgressOutput output_;
  const Clock::time_point start_ = Clock::now();
  void tell_stall(const StallChange& change, const ProgressSnapshot& snapshot);
  // Of the ticker's thread only.
  RateEstimator rate_;
  StallWatch stalls_;
  Clock::time_point next_line_;
  std::optional<Ticker> ticker_;  // last: it uses all above
};

}  // namespace piecework::tools
