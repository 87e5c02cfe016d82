#include "tools/ticker.h"

#include <utility>

namespace piecework::tools {

Ticker::Ticker(std::chrono::milliseconds interval, std::function<void()> tick)
    : thread_([this, interval, tick = std::move(tick)] { run(interval, tick); }) {}

Ticker::~Ticker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopping_changed_.notify_one();
  thread_.join();
}

void Ticker::run(std::chrono::milliseconds interval, const std::function<void()>& tick) {
  std::unique_lock lock(mutex_);
  while (!stopping_changed_.wait_for(lock, interval, [this] { return stopping_; })) {
    // The call may take long (a stalled disk): the destructor must not find the lock held all that time.
    lock.unlock();
    tick();
    lock.lock();
  }
}

}  // namespace piecework::tools
