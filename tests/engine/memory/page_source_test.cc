// Memory with a budget: what is over it lies in an unnamed file and reads the same; a file that fails is an error.
#include "engine/memory/page_source.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <numeric>
#include <set>
#include <unordered_map>

#include "engine/memory/paged_vector.h"
#include "engine/memory/spill_map.h"
#include "engine/plan/inventory.h"
#include "tests/support/temp_dir.h"

namespace piecework::engine {
namespace {

using testing::TempDir;

constexpr size_t kPageBytes = PageSource::kPageBytes;
constexpr auto kInOrder = PageSource::Access::kInOrder;
constexpr auto kScattered = PageSource::Access::kScattered;

// Files may not get longer than `bytes` while this lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    EXPECT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit_), 0);
    const rlimit limit{bytes, old_limit_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &old_limit_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_limit_{};
  void (*old_handler_)(int);
};

TEST(PageSource, UsesTheFileOverTheBudgetOnly) {
  const TempDir directory;
  PageSource pages(directory.path(), 2 * kPageBytes);
  PageSource::Memory first = pages.take(kPageBytes, kInOrder);
  const PageSource::Memory second = pages.take(kPageBytes, kScattered);
  EXPECT_EQ(pages.spilled_bytes(), 0u);
  {
    const PageSource::Memory third = pages.take(kPageBytes + 1, kInOrder);
    EXPECT_EQ(pages.spilled_bytes(), 2 * kPageBytes);
    const PageSource::Memory small = pages.take(kPageBytes - 1, kInOrder);
    EXPECT_EQ(pages.spilled_bytes(), 2 * kPageBytes) << "less than a page stays in memory";
  }
  EXPECT_EQ(pages.spilled_bytes(), 0u);
  first.reset();
  const PageSource::Memory again = pages.take(kPageBytes, kInOrder);
  EXPECT_EQ(pages.spilled_bytes(), 0u) << "what was given back counts no longer";
  EXPECT_TRUE(pages.status());
  EXPECT_TRUE(std::filesystem::is_empty(directory.path())) << "the file has no name";
}

TEST(PageSource, PagesGivenBackAreGivenAgain) {
  const TempDir directory;
  PageSource pages(directory.path(), 0);
  std::vector<PageSource::Memory> taken;
  for (int i = 0; i < 20; ++i) taken.push_back(pages.take(kPageBytes, kScattered));
  std::set<const char*> addresses;
  for (const PageSource::Memory& memory : taken) addresses.insert(memory.get());
  EXPECT_EQ(addresses.size(), 20u);
  taken.clear();
  EXPECT_EQ(pages.spilled_bytes(), 0u);
  const PageSource::Memory again = pages.take(kPageBytes, kScattered);
  EXPECT_TRUE(addresses.contains(again.get()));
  std::memset(again.get(), 1, kPageBytes);
  const PageSource::Memory larger = pages.take(2 * kPageBytes, kScattered);
  std::memset(larger.get(), 2, 2 * kPageBytes);
  EXPECT_EQ(again[kPageBytes - 1], 1);
}

TEST(PageSource, ContentsStayWhenTheyAreLeftBehind) {
  const TempDir directory;
  PageSource pages(directory.path(), kPageBytes);
  PagedVector<uint64_t> numbers(&pages);
  TextArena texts(&pages);
  std::vector<uint64_t> positions;
  for (uint64_t i = 0; i < 500'000; ++i) {
    numbers.push_back(i * i);
    const std::string text = std::to_string(i);
    positions.push_back(texts.append(text.data(), text.size()));
  }
  EXPECT_GT(pages.spilled_bytes(), 5 * kPageBytes);
  pages.rest(UINT64_MAX / 2);
  numbers.will_need(0, numbers.size());
  texts.will_need(0, positions.back());
  for (uint64_t i = 0; i < numbers.size(); ++i) {
    numbers.walk_at(i);
    ASSERT_EQ(numbers[i], i * i);
    const std::string text = std::to_string(i);
    ASSERT_EQ(std::string_view(texts.at(positions[i]), text.size()), text);
  }
  numbers.shrink_to(3);
  EXPECT_EQ(numbers.back(), 4u);
  EXPECT_EQ(numbers.push_back(7), 7u);
  EXPECT_EQ(numbers.size(), 4u);
}

TEST(PageSource, ArraysAreSortedWhereTheyLie) {
  const TempDir directory;
  PageSource pages(directory.path(), 0);
  SpillArray<uint32_t> numbers(&pages, 1'000'000);
  EXPECT_EQ(std::accumulate(numbers.begin(), numbers.end(), 0u), 0u);
  for (uint32_t i = 0; i < numbers.size(); ++i) numbers[i] = i * 2654435761u;
  std::sort(numbers.begin(), numbers.end());
  EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  const SpillArray<uint32_t> moved = std::move(numbers);
  EXPECT_EQ(moved.size(), 1'000'000u);
  EXPECT_EQ(moved[0], 0u);
}

TEST(PageSource, AFullDiskIsAnErrorAndMemoryStandsIn) {
  const TempDir directory;
  PageSource pages(directory.path(), 0);
  PagedVector<uint64_t> numbers(&pages);
  {
    const FileSizeLimit limit(3 * kPageBytes);
    for (uint64_t i = 0; i < 6 * kPageBytes / sizeof(uint64_t); ++i) numbers.push_back(i);
  }
  ASSERT_FALSE(pages.status());
  EXPECT_EQ(pages.status().error().code, ErrorCode::kNoSpace);
  EXPECT_EQ(pages.status().error().side, ErrorSide::kDestination);
  EXPECT_NE(pages.status().error().message.find("--scratch"), std::string::npos) << pages.status().error().message;
  EXPECT_EQ(pages.spilled_bytes(), 3 * kPageBytes);
  for (uint64_t i = 0; i < numbers.size(); ++i) ASSERT_EQ(numbers[i], i);
}

TEST(PageSource, AMissingDirectoryIsAnErrorOnceItIsNeeded) {
  PageSource pages("/nowhere/at/all", kPageBytes);
  const PageSource::Memory first = pages.take(kPageBytes, kInOrder);
  EXPECT_TRUE(pages.status());
  const PageSource::Memory second = pages.take(kPageBytes, kInOrder);
  ASSERT_FALSE(pages.status());
  EXPECT_EQ(pages.status().error().code, ErrorCode::kNotFound);
  EXPECT_NE(second.get(), nullptr);
}

// Keys are their own hashes, of which some share their high bits.
struct Slot {
  bool is_empty() const { return key == 0; }
  uint64_t hash() const { return key; }
  bool has_key_of(const Slot& other) const { return key == other.key; }

  uint64_t key = 0;
  uint64_t value = 0;
};

TEST(SpillMap, HoldsWhatAnotherMapHolds) {
  const TempDir directory;
  PageSource pages(directory.path(), 0);
  SpillMap<Slot> map(&pages);
  SpillMap<Slot> other;
  std::unordered_map<uint64_t, uint64_t> expected;
  EXPECT_EQ(map.find({1}), nullptr);
  for (uint64_t i = 1; i < 200'000; ++i) {
    const uint64_t key = i % 500 == 0 ? UINT64_MAX - i : (i % 50'000 + 1) * 0x9E3779B97F4A7C15u;
    const bool is_new = expected.emplace(key, i).second;
    const auto [slot, inserted] = map.insert({key, i});
    ASSERT_EQ(inserted, is_new);
    ASSERT_EQ(slot.value, expected[key]);
    other.insert({i * 0xD1342543DE82EF95u, i});
  }
  EXPECT_GT(pages.spilled_bytes(), kPageBytes);
  EXPECT_EQ(map.size(), expected.size());
  for (uint64_t i = 1; i < 200'000; ++i) expected.emplace(i * 0xD1342543DE82EF95u, i);
  map.merge(other);
  EXPECT_EQ(map.size(), expected.size());
  for (const auto& [key, value] : expected) {
    const Slot* found = map.find({key});
    ASSERT_NE(found, nullptr);
    ASSERT_EQ(found->value, value);
  }
  map.clear();
  EXPECT_EQ(pages.spilled_bytes(), 0u);
  EXPECT_EQ(map.find({UINT64_MAX - 500}), nullptr);
}

TEST(InventoryWalk, GoesOverEntriesInMemoryAndNot) {
  const TempDir directory;
  PageSource pages(directory.path(), kPageBytes);
  Inventory inventory(&pages);
  const EntryIndex root = inventory.open_directory({});
  for (int i = 0; i < 100'000; ++i) inventory.add_file("file " + std::to_string(i), static_cast<uint64_t>(i), i);
  inventory.close_directory(root);
  ASSERT_TRUE(inventory.status());
  EXPECT_GT(pages.spilled_bytes(), 0u);
  InventoryWalk walk(inventory);
  for (EntryIndex i = inventory.entry_count() - 1; i > 1000; i -= 997) {
    walk.at(i, inventory.entry_count());
    ASSERT_EQ(inventory.name(i), "file " + std::to_string(i - 1));
  }
  for (EntryIndex i = 0; i < inventory.entry_count(); ++i) walk.at(i, inventory.entry_count());
}

}  // namespace
}  // namespace piecework::engine
