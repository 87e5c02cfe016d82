// Slots: each once, aligned, writable, and errors instead of impossible pools.
#include "io/slot_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <thread>
#include <vector>

#include "io/limits.h"

namespace piecework::io {
namespace {

TEST(SlotPoolTest, HandsOutEverySlotOnceAndThenNone) {
  const auto pool = std::move(*SlotPool::create({.slot_count = 5, .slot_size_bytes = 10'000}));
  EXPECT_EQ(pool->slot_size_bytes() % page_size_bytes(), 0u);
  EXPECT_GE(pool->slot_size_bytes(), 10'000u);
  std::set<uint32_t> indices;
  std::set<uint8_t*> starts;
  for (int i = 0; i < 5; ++i) {
    const std::optional<Slot> slot = pool->try_acquire();
    ASSERT_TRUE(slot);
    EXPECT_EQ(slot->bytes.size(), pool->slot_size_bytes());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(slot->bytes.data()) % page_size_bytes(), 0u);
    slot->bytes.front() = slot->bytes.back() = static_cast<uint8_t>(i);  // mapped and writable
    indices.insert(slot->index);
    starts.insert(slot->bytes.data());
  }
  EXPECT_EQ(indices, (std::set<uint32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(starts.size(), 5u);
  EXPECT_FALSE(pool->try_acquire());
  pool->release(3);
  EXPECT_EQ(pool->free_count(), 1u);
  EXPECT_EQ(pool->try_acquire()->index, 3u);
  for (uint32_t index = 0; index < 5; ++index) pool->release(index);
}

TEST(SlotPoolTest, ImpossiblePoolsAreErrors) {
  EXPECT_EQ(SlotPool::create({.slot_count = 0, .slot_size_bytes = 1}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(SlotPool::create({.slot_count = 1, .slot_size_bytes = 0}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(SlotPool::create({.slot_count = 1, .slot_size_bytes = UINT64_MAX}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(SlotPool::create({.slot_count = UINT32_MAX, .slot_size_bytes = uint64_t{1} << 40}).error().code,
            ErrorCode::kInvalidArgument);
  // 64 PiB: more than any address space gives.
  EXPECT_EQ(SlotPool::create({.slot_count = 1 << 16, .slot_size_bytes = uint64_t{1} << 40}).error().code,
            ErrorCode::kResourceExhausted);
}

TEST(SlotPoolDeathTest, ReleasingWhatIsNotHeldIsAProgrammersError) {
  const auto pool = std::move(*SlotPool::create({.slot_count = 2, .slot_size_bytes = 1}));
  EXPECT_DEATH(pool->release(0), "is_held_");
  EXPECT_DEATH(pool->release(2), "slot_count_");
}

TEST(SlotPoolTest, NoSlotIsHeldTwiceAtOnce) {
  const auto pool = std::move(*SlotPool::create({.slot_count = 3, .slot_size_bytes = 1, .huge_pages = false}));
  std::vector<std::thread> threads;
  std::atomic<int> clash_count = 0;
  for (uint8_t t = 1; t <= 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        const std::optional<Slot> slot = pool->try_acquire();
        if (!slot) continue;
        slot->bytes[0] = t;
        std::this_thread::yield();
        clash_count += slot->bytes[0] == t ? 0 : 1;
        pool->release(slot->index);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(clash_count.load(), 0);
  EXPECT_EQ(pool->free_count(), 3u);
}

}  // namespace
}  // namespace piecework::io
