// A thread that calls a function again and again: for whoever reports on work that goes on elsewhere.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace piecework::tools {

class Ticker {
 public:
  // Calls `tick` every `interval`, the first time after one, on a thread of its own. `tick` must not throw; what it
  // uses outlives the ticker.
  Ticker(std::chrono::milliseconds interval, std::function<void()> tick);
  // Waits for a call that is under way; there is none after it.
  ~Ticker();
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

 private:
  void run(std::chrono::milliseconds interval, const std::function<void()>& tick);

  std::mutex mutex_;
  std::condition_variable stopping_changed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace piecework::tools
