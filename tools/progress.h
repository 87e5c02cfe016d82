// Progress of long work on stderr: a line that redraws itself on a terminal, a line every 30 s elsewhere.
//
// The engine counts in atomics and knows nothing of this; the printer samples them on a thread of its own, so that a
// stalled disk is seen as a stall.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "tools/progress_rate.h"

namespace piecework::tools {

class ProgressPrinter {
 public:
  // `sample` is called on the printer's thread until the destructor returns: it may only read what is safe to read
  // there, and what it reads outlives the printer. `label` ("packing") begins every line.
  ProgressPrinter(std::string label, std::function<ProgressSnapshot()> sample);
  // Stops the thread and clears the terminal's line.
  ~ProgressPrinter();
  ProgressPrinter(const ProgressPrinter&) = delete;
  ProgressPrinter& operator=(const ProgressPrinter&) = delete;

 private:
  void run();
  void print_line();

  const std::string label_;
  const std::function<ProgressSnapshot()> sample_;
  const bool is_terminal_;
  RateEstimator rate_;  // printer's thread only

  std::mutex mutex_;
  std::condition_variable stopping_changed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace piecework::tools
