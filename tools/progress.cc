// The printer's lines.
#include "tools/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace piecework::tools {
namespace {

constexpr std::chrono::milliseconds kSampleInterval{250};
constexpr const char* kClearLine = "\r\x1b[K";

}  // namespace

ProgressOutput standard_error_output() {
  ProgressOutput output;
  output.is_terminal = isatty(STDERR_FILENO) == 1;
  if (output.is_terminal) output.line_interval = kSampleInterval;
  output.put_text = [](const std::string& text) { std::fwrite(text.data(), 1, text.size(), stderr); };
  return output;
}

ProgressPrinter::ProgressPrinter(std::string label, std::function<ProgressSnapshot()> sample, ProgressOutput output)
    : label_(std::move(label)),
      sample_(std::move(sample)),
      output_(std::move(output)),
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
  rate_.add(std::chrono::duration<double>(now - start_).count(), snapshot.done_bytes);
  if (now < next_line_) return;
  next_line_ = now + output_.line_interval;
  const std::string line = label_ + ": " + format_progress(snapshot, rate_);
  output_.put_text(output_.is_terminal ? kClearLine + line : line + "\n");
}

}  // namespace piecework::tools
