// The printer's lines.
#include "tools/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "tools/process.h"
#include "tools/test_build.h"

namespace piecework::tools {
namespace {

constexpr std::chrono::milliseconds kSampleInterval{250};
constexpr const char* kClearLine = "\r\x1b[K";

}  // namespace

std::chrono::milliseconds stall_limit() {
  const std::optional<int64_t> limit_ms = stall_ms_from_environment();
  return limit_ms ? std::chrono::milliseconds(*limit_ms) : kStallLimit;
}

ProgressOutput standard_error_output() {
  ProgressOutput output;
  output.stall_limit = stall_limit();
  output.is_terminal = isatty(STDERR_FILENO) == 1;
  if (output.is_terminal) output.line_interval = kSampleInterval;
  output.put_text = [](const std::string& text) { std::fwrite(text.data(), 1, text.size(), stderr); };
  return output;
}

ProgressPrinter::ProgressPrinter(std::string label, std::function<ProgressSnapshot()> sample, ProgressOutput output)
    : label_(std::move(label)),
      sample_(std::move(sample)),
      output_(std::move(output)),
      stalls_(std::chrono::duration<double>(output_.stall_limit).count()),
      next_line_(start_ + output_.line_interval) {
  ticker_.emplace(std::min(kSampleInterval, output_.line_interval), [this] { tick(); });
}

ProgressPrinter::~ProgressPrinter() {
  ticker_.reset();
  if (output_.is_terminal) output_.put_text(kClearLine);
}

void ProgressPrinter::tick() {
  const Clock::time_point now = Clock::now();
  const ProgressSnapshot snapshot = sample_();
  const double seconds = std::chrono::duration<double>(now - start_).count();
  rate_.add(seconds, snapshot.done_bytes);
  const uint64_t moved = snapshot.done_bytes + snapshot.other_steps + busy_steps();
  const std::optional<StallChange> change = stalls_.observe(seconds, moved);
  if (change) tell_stall(*change, snapshot);
  if (now < next_line_) return;
  next_line_ = now + output_.line_interval;
  const std::string line = label_ + ": " + format_progress(snapshot, rate_);
  output_.put_text(output_.is_terminal ? kClearLine + line : line + "\n");
}

void ProgressPrinter::tell_stall(const StallChange& change, const ProgressSnapshot& snapshot) {
  const std::string line = label_ + ": " + format_stall(change, snapshot) + "\n";
  output_.put_text(output_.is_terminal ? kClearLine + line : line);
}

}  // namespace piecework::tools
