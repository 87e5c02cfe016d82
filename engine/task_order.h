// Tells ThreadSanitizer what it cannot see of oneTBB, which the distribution builds without it: the order that the
// library makes between threads. Nothing here orders anything; in every other build all of it is empty.
//
// Said is what oneTBB promises, no more: what precedes the start of tasks happens before each of them, each of them
// before what follows the wait for all; a serial stage's calls follow each other; what a stage did to a token happens
// before what the next stage does to it. Two tasks that run at once get no order from here, so that a race between them
// is still found (tests/engine/task_order_test.cc). What oneTBB's headers do to its own objects, before, between and
// after our bodies, is not looked at: those objects are handed over inside the library.
#pragma once

#include <oneapi/tbb/task_arena.h>

#if defined(__SANITIZE_THREAD__)
#define PIECEWORK_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PIECEWORK_THREAD_SANITIZER 1
#endif
#endif

#ifdef PIECEWORK_THREAD_SANITIZER

#include <oneapi/tbb/task_scheduler_observer.h>
#include <sanitizer/tsan_interface.h>

#include <type_traits>
#include <utility>

extern "C" void __tsan_ignore_thread_begin();
extern "C" void __tsan_ignore_thread_end();

namespace piecework::engine {

inline void hand_over(const void* token) { __tsan_release(const_cast<void*>(token)); }
inline void take_over(const void* token) { __tsan_acquire(const_cast<void*>(token)); }

// Whether the accesses of the calling thread are looked at: not while it is in oneTBB's code.
class Watching {
 public:
  // Switches for a scope.
  explicit Watching(bool is_on) : was_on_(set(is_on)) {}
  ~Watching() { set(was_on_); }
  Watching(const Watching&) = delete;
  Watching& operator=(const Watching&) = delete;

  // Returns what held before.
  static bool set(bool is_on) {
    static thread_local ThisThread this_thread;
    if (is_on != this_thread.is_on) is_on ? __tsan_ignore_thread_end() : __tsan_ignore_thread_begin();
    return std::exchange(this_thread.is_on, is_on);
  }

 private:
  struct ThisThread {
    bool is_on = true;
    // The end of a thread that is not looked at would be reported.
    ~ThisThread() {
      if (!is_on) __tsan_ignore_thread_end();
    }
  };

  bool was_on_;
};

class TaskOrder {
 public:
  struct SerialStage {
    char place = 0;
  };

  explicit TaskOrder(tbb::task_arena& arena) : at_border_(arena) {}
  TaskOrder(const TaskOrder&) = delete;
  TaskOrder& operator=(const TaskOrder&) = delete;

  template <class Body>
  auto parallel(Body body) const {
    return Task<Body>(*this, nullptr, body);
  }
  template <class Body>
  auto serial(const SerialStage& stage, Body body) const {
    return Task<Body>(*this, &stage, body);
  }
  void join() const { take_over(&end_); }

 private:
  template <class Body>
  class Task {
   public:
    Task(const TaskOrder& order, const SerialStage* stage, const Body& body)
        : order_(&order), stage_(stage), body_(body) {
      hand_over(&order.begin_);
    }

    template <class... Arguments>
    auto operator()(Arguments&&... arguments) const {
      const Body body = body_;  // from what oneTBB has copied from task to task
      const Call call(*order_, stage_);
      return body(std::forward<Arguments>(arguments)...);
    }

   private:
    static_assert(std::is_trivially_copyable_v<Body>, "capture references and pointers only");
    const TaskOrder* order_;
    const SerialStage* stage_;
    Body body_;
  };

  class Call {
   public:
    Call(const TaskOrder& order, const SerialStage* stage) : order_(order), stage_(stage) {
      take_over(&order_.begin_);
      if (stage_ != nullptr) take_over(stage_);
    }
    ~Call() {
      if (stage_ != nullptr) hand_over(stage_);
      hand_over(&order_.end_);
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    const Watching in_body_{true};
    const TaskOrder& order_;
    const SerialStage* stage_;
  };

  class Border final : public tbb::task_scheduler_observer {
   public:
    explicit Border(tbb::task_arena& arena) : task_scheduler_observer(arena) { observe(true); }
    ~Border() override { observe(false); }
    void on_scheduler_entry(bool /*is_worker*/) override { Watching::set(false); }
    void on_scheduler_exit(bool /*is_worker*/) override { Watching::set(true); }
  };

  Border at_border_;
  char begin_ = 0;
  char end_ = 0;
};

template <class Token, class Port>
void pass_on(Token* token, Port& port) {
  hand_over(token);
  const Watching in_library(false);
  port.try_put(token);
}

template <class Token, class Gateway>
void pass_back(Token* token, Gateway& gateway) {
  hand_over(token);
  const Watching in_library(false);
  gateway.try_put(token);
  gateway.release_wait();
}

}  // namespace piecework::engine

#else

namespace piecework::engine {

// Called by who gives `token` to the next stage, as the last thing done to it. Safe for concurrent use.
inline void hand_over(const void* /*token*/) {}
// Called by who got `token`, as the first thing. Safe for concurrent use.
inline void take_over(const void* /*token*/) {}

// The tasks that one owner starts and waits for in one arena. Made before arena.execute(); outlives all tasks. All
// functions are the owner's; the bodies that they return may be copied and called on any thread.
class TaskOrder {
 public:
  // One stage of which oneTBB never runs two calls at once.
  struct SerialStage {};

  explicit TaskOrder(const tbb::task_arena& /*arena*/) {}
  TaskOrder(const TaskOrder&) = delete;
  TaskOrder& operator=(const TaskOrder&) = delete;

  // `body`, to be given to oneTBB: what the owner has done so far happens before each call. Captures references and
  // pointers only.
  template <class Body>
  Body parallel(Body body) const {
    return body;
  }
  // The same for a serial stage: each call also happens after the one before.
  template <class Body>
  Body serial(const SerialStage& /*stage*/, Body body) const {
    return body;
  }
  // After the wait for all tasks.
  void join() const {}
};

// To the next stage of a flow graph, as the last thing done to `token`. Safe for concurrent use, as is the next.
template <class Token, class Port>
void pass_on(Token* token, Port& port) {
  port.try_put(token);
}
// The same from work outside the graph, for which gateway.reserve_wait() was called. `gateway` may be gone afterwards.
template <class Token, class Gateway>
void pass_back(Token* token, Gateway& gateway) {
  gateway.try_put(token);
  gateway.release_wait();
}

}  // namespace piecework::engine

#endif
