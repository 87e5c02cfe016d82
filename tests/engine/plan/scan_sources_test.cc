// A walk finds the same with and without lists that are read ahead of it, in trees wider, deeper and fuller than what
// is read ahead.
#include "engine/plan/scan_sources.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "engine/plan/listing_ahead.h"
#include "tests/support/temp_dir.h"

namespace piecework::engine {
namespace {

using piecework::testing::TempDir;
using piecework::testing::write_file;

// (path, kind, bytes, end of the subtree) of every entry.
using Seen = std::vector<std::tuple<std::string, EntryKind, uint64_t, EntryIndex>>;

struct Scanned {
  Seen entries;
  std::vector<std::string> skipped;
};

Scanned scan(const std::filesystem::path& root, const ScanOptions& options) {
  const Result<SourceSet> sources = SourceSet::open({{.name = "tree", .path = root.string()}}, false);
  EXPECT_TRUE(sources);
  const Result<Inventory> inventory = scan_sources(*sources, options);
  if (!inventory) {
    ADD_FAILURE() << inventory.error().message;
    return {};
  }
  Scanned scanned;
  for (EntryIndex i = 0; i < inventory->entry_count(); ++i) {
    const Entry& entry = (*inventory)[i];
    scanned.entries.emplace_back(inventory->path(i), entry.kind, entry.content_bytes, entry.subtree_end);
  }
  for (const SkippedItem& item : inventory->skipped) scanned.skipped.push_back(item.path + ": " + item.reason);
  return scanned;
}

// Directories below directories, at random; every tenth hidden, some with nothing in them.
void make_tree(const std::filesystem::path& directory, int depth, std::mt19937& random) {
  const uint64_t count = depth == 0 ? 30 : random() % 7;
  for (uint64_t i = 0; i < count; ++i) {
    const std::string name = (random() % 10 == 0 ? "." : "") + std::to_string(random() % 1'000'000) + "d";
    std::filesystem::create_directory(directory / name);
    if (depth < 3) make_tree(directory / name, depth + 1, random);
  }
  for (unsigned i = 0; i < random() % 4; ++i) write_file(directory / ("f" + std::to_string(i)), "12345");
}

class ScanSourcesTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    tree_ = std::make_unique<TempDir>();
    const TempDir& tree = *tree_;
    std::mt19937 random(4);
    make_tree(tree.path(), 0, random);
    std::filesystem::path deep = tree.path();
    for (int i = 0; i < 300; ++i) deep /= "x";  // more than are kept open, and than are read ahead
    std::filesystem::create_directories(deep);
    write_file(deep / "end", "1");
    for (int i = 0; i < 60; ++i) {  // entered after that, when the root is not open any more
      std::filesystem::create_directory(tree / ("y" + std::to_string(i)));
      write_file(tree / ("y" + std::to_string(i)) / "file", "1");
    }
    std::filesystem::create_directory(tree / "links");  // more text than is held ahead
    for (int i = 0; i < 60; ++i) {
      std::filesystem::create_symlink(std::string(4000, 't'), tree / "links" / std::to_string(i));
    }
    std::filesystem::create_directory(tree / "full");  // more than is read ahead
    for (int i = 0; i < 1100; ++i) write_file(tree / "full" / std::to_string(i), "");
    std::filesystem::create_directories(tree / "full" / "below" / "below");
  }
  static void TearDownTestSuite() { tree_.reset(); }

  static inline std::unique_ptr<TempDir> tree_;
  const TempDir& temp_ = *tree_;
};

TEST_F(ScanSourcesTest, ReadingAheadChangesNothing) {
  const Scanned alone = scan(temp_.path(), {.thread_count = 1});
  EXPECT_GT(alone.entries.size(), 1500u);
  for (const unsigned threads : {2U, 16U}) {
    const Scanned ahead = scan(temp_.path(), {.thread_count = threads});
    EXPECT_EQ(ahead.entries, alone.entries);
    EXPECT_EQ(ahead.skipped, alone.skipped);
  }
}

TEST_F(ScanSourcesTest, HiddenAndExcludedDirectoriesStayOut) {
  struct stat status;
  ASSERT_EQ(::stat((temp_ / "full").c_str(), &status), 0);
  const auto options = [&](unsigned threads) {
    return ScanOptions{.include_hidden = false,
                       .excluded_directories = {{status.st_dev, status.st_ino}},
                       .excluded_items = {{"x", "it failed", 0, 0}},
                       .thread_count = threads};
  };
  const Scanned alone = scan(temp_.path(), options(1));
  const Scanned ahead = scan(temp_.path(), options(8));
  EXPECT_EQ(ahead.entries, alone.entries);
  EXPECT_EQ(ahead.skipped, (std::vector<std::string>{"full: output directory", "x: it failed"}));
  EXPECT_EQ(ahead.skipped, alone.skipped);
  for (const auto& entry : ahead.entries) EXPECT_NE(std::get<0>(entry).substr(0, 1), ".");
}

TEST_F(ScanSourcesTest, AStopEndsTheWalkWithListsUnderWay) {
  const Result<SourceSet> sources = SourceSet::open({{.name = "tree", .path = temp_.path().string()}}, false);
  ASSERT_TRUE(sources);
  size_t stopped_count = 0;
  for (int attempt = 0; attempt < 500 && stopped_count < 3; ++attempt) {
    std::atomic<bool> stop = false;
    std::atomic<bool> has_ended = false;
    std::atomic<uint64_t> entries_seen = 0;
    std::thread stopper([&] {
      while (entries_seen < 50 && !has_ended) std::this_thread::yield();
      stop = true;
    });
    const Result<Inventory> inventory =
        scan_sources(*sources, {.thread_count = 8, .stop = &stop, .entries_seen = &entries_seen});
    has_ended = true;
    stopper.join();
    if (inventory) continue;  // it was quicker
    EXPECT_EQ(inventory.error().code, ErrorCode::kCancelled);
    EXPECT_GE(entries_seen, 50u);
    ++stopped_count;
  }
  EXPECT_GT(stopped_count, 0u);
}

TEST_F(ScanSourcesTest, SlowListsGetThreadsAndAreReadAhead) {
  ListingAhead ahead(1, true);
  ListedDirectory root;
  Result<io::File> opened = io::open_named_directory(temp_.path().string(), ErrorSide::kSource);
  ASSERT_TRUE(opened);
  root.directory = std::make_shared<const io::File>(std::move(*opened));
  Result<io::DirectoryListing> listing = io::read_directory(*root.directory);
  ASSERT_TRUE(listing);
  root.listing = std::move(*listing);
  const auto taken_count = [&](std::chrono::milliseconds pause) {
    root.below.clear();
    root.next_to_ask = 0;
    size_t taken = 0;
    for (size_t i = 0; i < root.listing.entry_count(); ++i) {
      if (root.listing.entry(i).kind != io::EntryKind::kDirectory) continue;
      const std::optional<ListedDirectory> listed = ahead.take(root, i);
      std::this_thread::sleep_for(pause);  // threads come to it even where the machine is busy
      if (!listed) continue;
      ++taken;
      const Result<io::DirectoryListing> again = io::read_directory(*listed->directory);
      EXPECT_TRUE(again);
      EXPECT_EQ(listed->listing.entry_count(), again->entry_count());
      EXPECT_EQ(listed->place.value(), (std::vector<uint32_t>{static_cast<uint32_t>(i)}));
    }
    return taken;
  };
  EXPECT_EQ(taken_count(std::chrono::milliseconds(0)), 0u);  // quick so far, and one thread is enough
  ahead.note_wait(std::chrono::seconds(1), 10);
  size_t taken = 0;
  for (int attempt = 0; attempt < 100 && taken == 0; ++attempt) taken = taken_count(std::chrono::milliseconds(2));
  EXPECT_GT(taken, 0u);
}

}  // namespace
}  // namespace piecework::engine
