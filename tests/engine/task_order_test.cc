// TaskOrder under ThreadSanitizer: what oneTBB orders gives no report (a report ends a test program with 66), and a
// race between tasks that run at once still gives one. In other builds only the results count.
#include "engine/task_order.h"

#include <gtest/gtest.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>

#include <atomic>
#include <cstdlib>
#include <vector>

namespace piecework::engine {
namespace {

constexpr int kThreadCount = 2;

// Tasks have a thread each, even where there is one core.
class TaskOrderTest : public ::testing::Test {
 protected:
  const tbb::global_control threads_{tbb::global_control::max_allowed_parallelism, kThreadCount};
  tbb::task_arena arena_{kThreadCount};
};

struct Token {
  int value = 0;
};

// next -> square, on several threads -> sum, over a few tokens that come back.
int sum_of_squares(int last, const TaskOrder& order) {
  const TaskOrder::SerialStage nexting;
  const TaskOrder::SerialStage summing;
  std::vector<Token> tokens(kThreadCount + 2);
  int given = 0;
  int sum = 0;
  const auto next = order.serial(nexting, [&](tbb::flow_control& control) -> Token* {
    if (given == last) {
      control.stop();
      return nullptr;
    }
    Token* token = &tokens[static_cast<size_t>(given) % tokens.size()];
    take_over(token);
    token->value = ++given;
    hand_over(token);
    return token;
  });
  const auto square = order.parallel([](Token* token) {
    take_over(token);
    token->value *= token->value;
    hand_over(token);
    return token;
  });
  const auto add = order.serial(summing, [&](Token* token) {
    take_over(token);
    sum += token->value;
    hand_over(token);
  });
  tbb::parallel_pipeline(tokens.size(), tbb::make_filter<void, Token*>(tbb::filter_mode::serial_in_order, next) &
                                            tbb::make_filter<Token*, Token*>(tbb::filter_mode::parallel, square) &
                                            tbb::make_filter<Token*, void>(tbb::filter_mode::serial_in_order, add));
  return sum;
}

TEST_F(TaskOrderTest, StagesOfAPipelineAreOrdered) {
  constexpr int kLast = 1000;
  int sum = 0;
  const TaskOrder order(arena_);
  arena_.execute([&] { sum = sum_of_squares(kLast, order); });
  order.join();
  EXPECT_EQ(sum, kLast * (kLast + 1) * (2 * kLast + 1) / 6);
}

TEST_F(TaskOrderTest, TasksComeAfterTheirMakerAndBeforeTheJoin) {
  constexpr size_t kCount = 1000;
  for (int round = 0; round < 20; ++round) {
    std::vector<size_t> values(kCount, 1);
    const TaskOrder order(arena_);
    const auto add_index = order.parallel([&](size_t i) { values[i] += i; });
    arena_.execute([&] { tbb::parallel_for(size_t{0}, kCount, add_index); });
    order.join();
    for (size_t i = 0; i < kCount; ++i) ASSERT_EQ(values[i], i + 1);
  }
}

#ifdef PIECEWORK_THREAD_SANITIZER
constexpr int kReportedExit = 66;  // of a program with reports, set by ThreadSanitizer

// Two tasks that both run before either ends, so nothing orders what they do to `shared`.
void race(tbb::task_arena& arena) {
  volatile int shared = 0;
  std::atomic<int> started = 0;
  const TaskOrder order(arena);
  const auto touch = order.parallel([&](int) {
    started.fetch_add(1, std::memory_order_relaxed);
    while (started.load(std::memory_order_relaxed) < kThreadCount) continue;
    for (int i = 0; i < 1000; ++i) shared = shared + 1;
  });
  arena.execute([&] { tbb::parallel_for(0, kThreadCount, touch); });
  order.join();
}

TEST_F(TaskOrderTest, ARaceBetweenTasksIsFound) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT((race(arena_), std::exit(0)), ::testing::ExitedWithCode(kReportedExit), "data race");
}
#endif

}  // namespace
}  // namespace piecework::engine
