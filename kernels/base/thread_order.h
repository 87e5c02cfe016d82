// Tells ThreadSanitizer of an order between threads that it cannot see: the one made inside oneTBB, which the
// distribution builds without it. Nothing here orders anything; in every other build all of it is empty.
//
// What oneTBB promises and these lines repeat, no more: what precedes the start of tasks happens before each of them,
// each of them before what follows the wait for all; a serial stage's calls follow each other; what a stage did to a
// token happens before what the next stage does to it. Two tasks that run at once get no order from here, so a race
// between them is still found (tests/kernels/thread_order_test.cc). What oneTBB does to its own objects is left to
// tools/dev/tsan.supp.
#pragma once

#include <type_traits>
#include <utility>

#if defined(__SANITIZE_THREAD__)
#define PIECEWORK_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PIECEWORK_THREAD_SANITIZER 1
#endif
#endif

#ifdef PIECEWORK_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

namespace piecework {

#ifdef PIECEWORK_THREAD_SANITIZER
inline constexpr bool kThreadSanitizer = true;
inline void hand_over(const void* token) { __tsan_release(const_cast<void*>(token)); }
inline void take_over(const void* token) { __tsan_acquire(const_cast<void*>(token)); }
#else
inline constexpr bool kThreadSanitizer = false;
// Called by whoever gives `token` to the next stage, as the last thing done to it. Safe for concurrent use.
inline void hand_over(const void* /*token*/) {}
// Called by who got `token`, as the first thing. Safe for concurrent use.
inline void take_over(const void* /*token*/) {}
#endif

// Tasks of one owner that oneTBB starts and waits for. parallel(), serial() and join() are the owner's; what they
// return is copied and called by any thread, and must not outlive this object.
class TaskOrder {
 public:
  // One stage of which oneTBB never runs two calls at once.
  struct SerialStage {};

  TaskOrder() = default;
  TaskOrder(const TaskOrder&) = delete;
  TaskOrder& operator=(const TaskOrder&) = delete;

  // `body`, to be given to oneTBB: what its maker has done so far happens before each call.
  template <class Body>
  auto parallel(Body body) const {
    return visible(nullptr, std::move(body));
  }
  // The same for a serial stage: each call also happens after the one before.
  template <class Body>
  auto serial(const SerialStage& stage, Body body) const {
    return visible(&stage, std::move(body));
  }
  // After the wait for all tasks.
  void join() const { take_over(&end_); }

 private:
  // The copies and the way into the body are not instrumented: they read what oneTBB copied from task to task.
  template <class Body>
  class Task {
   public:
    Task(const TaskOrder& order, const SerialStage* stage, const Body& body)
        : order_(&order), stage_(stage), body_(body) {
      hand_over(&order.begin_);
    }
    [[gnu::no_sanitize("thread")]] Task(const Task& other)
        : order_(other.order_), stage_(other.stage_), body_(other.body_) {}
    Task& operator=(const Task&) = delete;

    template <class... Arguments>
    [[gnu::no_sanitize("thread")]] auto operator()(Arguments&&... arguments) const {
      const Body body = body_;
      const Call call(*order_, stage_);
      return body(std::forward<Arguments>(arguments)...);
    }

   private:
    static_assert(std::is_trivially_copyable_v<Body>, "capture references or pointers only");
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
    const TaskOrder& order_;
    const SerialStage* stage_;
  };

  template <class Body>
  auto visible(const SerialStage* stage, Body body) const {
    if constexpr (kThreadSanitizer)
      return Task<Body>(*this, stage, body);
    else
      return body;
  }

  char begin_ = 0;
  char end_ = 0;
};

}  // namespace piecework
