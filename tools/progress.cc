// The printer's thread.
#include "tools/progress.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <utility>

namespace piecework::tools {
namespace {

constexpr std::chrono::milliseconds kSampleInterval{250};
constexpr std::chrono::seconds kLineInterval{30};
constexpr const char* kClearLine = "\r\x1b[K";

void put(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stderr); }

}  // namespace

ProgressPrinter::ProgressPrinter(std::string label, std::function<ProgressSnapshot()> sample)
    : label_(std::move(label)),
      sample_(std::move(sample)),
      is_terminal_(isatty(STDERR_FILENO) == 1),
      thread_([this] { run(); }) {}

ProgressPrinter::~ProgressPrinter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopping_changed_.notify_one();
  thread_.join();
  if (is_terminal_) put(kClearLine);
}

void ProgressPrinter::run() {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  Clock::time_point next_line = start + (is_terminal_ ? Clock::duration(kSampleInterval) : kLineInterval);
  std::unique_lock lock(mutex_);
  while (!stopping_changed_.wait_for(lock, kSampleInterval, [this] { return stopping_; })) {
    const Clock::time_point now = Clock::now();
    rate_.add(std::chrono::duration<double>(now - start).count(), sample_().done_bytes);
    if (now < next_line) continue;
    print_line();
    next_line += is_terminal_ ? Clock::duration(kSampleInterval) : kLineInterval;
  }
}

void ProgressPrinter::print_line() {
  const std::string line = label_ + ": " + format_progress(sample_(), rate_);
  put(is_terminal_ ? kClearLine + line : line + "\n");
}

}  // namespace piecework::tools
