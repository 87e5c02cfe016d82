// The index against a plain map, in memory and spilled, whatever the order and the number of repeats.
#include "engine/store/car_index.h"

#include <gtest/gtest.h>

#include <map>

#include "kernels/base/endian.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_input.h"

namespace piecework::engine {
namespace {

using testing::TempDir;

// `count` entries whose keys repeat where `key_count` is less; keys are spread as digests are.
std::vector<CarIndexEntry> make_entries(size_t count, size_t key_count) {
  const std::vector<uint8_t> random = testing::deterministic_bytes("index", count * 16);
  std::vector<CarIndexEntry> entries(count);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t number = load_le<uint64_t>(&random[16 * i]) % key_count;
    const std::string cid = "cid" + std::to_string(number);
    entries[i] = {.key = car_index_key(as_bytes(cid)),
                  .offset_bytes = load_le<uint32_t>(&random[16 * i + 8]),
                  .file_index = random[16 * i + 12] % 7u,
                  .length_bytes = static_cast<uint32_t>(number)};
  }
  return entries;
}

struct Reference {
  std::map<CarIndexKey, CarIndexEntry> first;
  uint64_t repeat_count = 0;
};

Reference reference_of(const std::vector<CarIndexEntry>& entries) {
  Reference reference;
  for (const CarIndexEntry& entry : entries) {
    const auto [place, is_new] = reference.first.emplace(entry.key, entry);
    if (is_new) continue;
    ++reference.repeat_count;
    const bool is_earlier = std::pair(entry.file_index, entry.offset_bytes) <
                            std::pair(place->second.file_index, place->second.offset_bytes);
    if (is_earlier) place->second = entry;
  }
  return reference;
}

Result<CarIndex> build(
    const std::vector<CarIndexEntry>& entries, const std::string& scratch, uint64_t memory_bytes,
    const CarIndexRepeat& on_repeat = [](const auto&, const auto&) { return Status(); }) {
  CarIndexBuilder builder(scratch, memory_bytes);
  for (const CarIndexEntry& entry : entries) PIECEWORK_TRY(builder.append(entry));
  return builder.finish(on_repeat);
}

TEST(CarIndex, FindsTheFirstEntryOfEveryKeyInMemoryAndSpilled) {
  const TempDir directory;
  for (const size_t count : {size_t{0}, size_t{1}, size_t{127}, size_t{128}, size_t{129}, size_t{256}, size_t{20000}}) {
    for (const size_t key_count : {size_t{1}, size_t{100}, size_t{1000000}}) {
      const std::vector<CarIndexEntry> entries = make_entries(count, key_count);
      const Reference reference = reference_of(entries);
      for (const uint64_t memory_bytes : {uint64_t{0}, uint64_t{20000}, uint64_t{1} << 20}) {
        CarIndex index = build(entries, directory.path(), memory_bytes).value();
        EXPECT_EQ(index.is_in_memory(), count * 32 <= std::max<uint64_t>(memory_bytes, 4096));
        EXPECT_EQ(index.entry_count(), reference.first.size());
        EXPECT_EQ(index.repeat_count(), reference.repeat_count);
        for (const auto& [key, entry] : reference.first) ASSERT_EQ(index.find(key).value(), entry);
      }
    }
  }
}

TEST(CarIndex, KeysThatAreNotThereAreNotFound) {
  const TempDir directory;
  const std::vector<CarIndexEntry> entries = make_entries(5000, 1000000);
  const std::map<CarIndexKey, CarIndexEntry> known = reference_of(entries).first;
  for (const uint64_t memory_bytes : {uint64_t{4096}, uint64_t{1} << 20}) {
    CarIndex index = build(entries, directory.path(), memory_bytes).value();
    for (const auto& [key, entry] : known) {
      for (const CarIndexKey near : {CarIndexKey{key.high, key.low + 1}, CarIndexKey{key.high, key.low - 1},
                                     CarIndexKey{key.high + 1, key.low}, CarIndexKey{key.high - 1, key.low}}) {
        ASSERT_EQ(index.find(near).value().has_value(), known.contains(near));
      }
    }
    for (const CarIndexKey edge : {CarIndexKey{0, 0}, CarIndexKey{UINT64_MAX, UINT64_MAX}}) {
      EXPECT_FALSE(index.find(edge).value());
    }
  }
}

// So many that the table would pass its quarter of the memory, and the pages get longer.
TEST(CarIndex, LongPagesFindEverything) {
  const TempDir directory;
  const std::vector<CarIndexEntry> entries = make_entries(50000, 1000000);
  const Reference reference = reference_of(entries);
  CarIndex index = build(entries, directory.path(), 4096).value();
  ASSERT_FALSE(index.is_in_memory());
  for (const auto& [key, entry] : reference.first) ASSERT_EQ(index.find(key).value(), entry);
}

TEST(CarIndex, RepeatsAreShownWithWhatPrecedesThem) {
  const TempDir directory;
  const std::vector<CarIndexEntry> entries = make_entries(1000, 50);
  for (const uint64_t memory_bytes : {uint64_t{4096}, uint64_t{1} << 20}) {
    uint64_t shown_count = 0;
    const auto on_repeat = [&shown_count](const CarIndexEntry& before, const CarIndexEntry& repeat) -> Status {
      EXPECT_EQ(before.key, repeat.key);
      EXPECT_LE(std::pair(before.file_index, before.offset_bytes), std::pair(repeat.file_index, repeat.offset_bytes));
      if (++shown_count == 900) return fail(ErrorCode::kCorrupt, ErrorSide::kSource, "enough");
      return {};
    };
    const Result<CarIndex> index = build(entries, directory.path(), memory_bytes, on_repeat);
    ASSERT_FALSE(index);
    EXPECT_EQ(index.error().message, "enough");
    EXPECT_EQ(shown_count, 900u);
  }
}

TEST(CarIndex, AScratchDirectoryThatIsMissingIsTheDestinationsFault) {
  EXPECT_TRUE(build(make_entries(100, 100), "/nowhere/at-all", 4096)) << "nothing is spilled";
  const Result<CarIndex> index = build(make_entries(1000, 1000), "/nowhere/at-all", 4096);
  ASSERT_FALSE(index);
  EXPECT_EQ(index.error().side, ErrorSide::kDestination);
  EXPECT_NE(index.error().message.find("/nowhere/at-all"), std::string::npos);
}

}  // namespace
}  // namespace piecework::engine
