// The printer with an output and intervals of the test's own.
#include "tools/progress.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

namespace piecework::tools {
namespace {

// Collects what is printed and waits for it.
class Screen {
 public:
  ProgressOutput output(bool is_terminal) {
    return {.is_terminal = is_terminal,
            .line_interval = std::chrono::milliseconds(2),
            .put_text = [this](const std::string& text) {
              const std::lock_guard lock(mutex_);
              texts_.push_back(text);
              changed_.notify_all();
            }};
  }
  void wait_for(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return texts_.size() >= count; });
  }
  std::vector<std::string> texts() {
    const std::lock_guard lock(mutex_);
    return texts_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> texts_;
};

ProgressSnapshot half_done() { return {512 * 1024, 1024 * 1024}; }

TEST(ProgressPrinterTest, WholeLinesWhereThereIsNoTerminal) {
  Screen screen;
  {
    const ProgressPrinter printer("packing", half_done, screen.output(false));
    screen.wait_for(3);
  }
  const std::vector<std::string> texts = screen.texts();
  for (const std::string& text : texts) {
    EXPECT_EQ(text.rfind("packing: 512.0 KiB of 1.0 MiB (50 %)", 0), 0u) << text;
    EXPECT_EQ(text.back(), '\n');
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
  }
}

TEST(ProgressPrinterTest, OneLineThatIsReplacedAndClearedOnATerminal) {
  Screen screen;
  {
    const ProgressPrinter printer("packing", half_done, screen.output(true));
    screen.wait_for(2);
  }
  const std::vector<std::string> texts = screen.texts();
  for (size_t i = 0; i + 1 < texts.size(); ++i) {
    EXPECT_EQ(texts[i].rfind("\r\x1b[Kpacking: ", 0), 0u);
    EXPECT_EQ(texts[i].find('\n'), std::string::npos);
  }
  EXPECT_EQ(texts.back(), "\r\x1b[K");
}

TEST(ProgressPrinterTest, ShortWorkPrintsNoLine) {
  Screen screen;
  ProgressOutput output = screen.output(false);
  output.line_interval = std::chrono::hours(1);
  { const ProgressPrinter printer("packing", half_done, output); }
  EXPECT_TRUE(screen.texts().empty());
}

TEST(ProgressPrinterTest, SaysThatWorkStandsStillAndThatItGoesOn) {
  for (const bool is_terminal : {false, true}) {
    Screen screen;
    ProgressOutput output = screen.output(is_terminal);
    output.line_interval = std::chrono::hours(1);
    output.stall_limit = std::chrono::milliseconds(500);  // two samples
    std::atomic<uint64_t> done_bytes{512 * 1024};
    const auto sample = [&] { return ProgressSnapshot{done_bytes.load(), 1024 * 1024}; };
    const ProgressPrinter printer("packing", sample, output);
    screen.wait_for(1);
    ++done_bytes;
    screen.wait_for(2);
    const std::vector<std::string> texts = screen.texts();
    EXPECT_NE(texts[0].find("packing: stalled: nothing has moved for 0:0"), std::string::npos) << texts[0];
    EXPECT_NE(texts[0].find(", at 512.0 KiB of 1.0 MiB; waiting for"), std::string::npos) << texts[0];
    EXPECT_NE(texts[1].find("packing: goes on after 0:0"), std::string::npos) << texts[1];
    for (const std::string& text : texts) {
      EXPECT_EQ(text.back(), '\n');
      EXPECT_EQ(text.rfind("\r\x1b[K", 0) == 0, is_terminal);
    }
  }
}

TEST(StandardErrorOutputTest, WaitsLongWhereNobodyWatches) {
  const ProgressOutput output = standard_error_output();
  EXPECT_EQ(output.line_interval, std::chrono::milliseconds(output.is_terminal ? 250 : 30'000));
}

TEST(TickerTest, CallsUntilItIsDestroyedAndNeverAfter) {
  std::atomic<int> calls{0};
  {
    const Ticker ticker(std::chrono::milliseconds(1), [&] {
      ++calls;
      calls.notify_all();
    });
    for (int seen = 0; seen < 3; seen = calls) calls.wait(seen);
  }
  const int after = calls;
  EXPECT_GE(after, 3);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(calls, after);
}

}  // namespace
}  // namespace piecework::tools
