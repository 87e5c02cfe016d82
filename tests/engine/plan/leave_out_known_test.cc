// Taking known items out of an inventory: random trees against a list of paths.
#include "engine/plan/leave_out_known.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/support/temp_dir.h"

namespace piecework::engine {
namespace {

// A leaf as the source has it: the path, with a mark of its kind.
using Leaves = std::vector<std::string>;

// The leaves of `inventory` in order, and before each the skipped items that stand there.
Leaves leaves_of(const Inventory& inventory) {
  Leaves leaves;
  size_t skipped = 0;
  for (EntryIndex entry = 0; entry <= inventory.entry_count(); ++entry) {
    for (; skipped < inventory.skipped.size() && inventory.skipped[skipped].position <= entry; ++skipped) {
      leaves.push_back("skipped " + inventory.skipped[skipped].path);
    }
    if (entry == inventory.entry_count() || !inventory.is_leaf(entry)) continue;
    const Entry& record = inventory[entry];
    const char* const kind = record.kind == EntryKind::kFile      ? "file "
                             : record.kind == EntryKind::kSymlink ? "symlink "
                                                                  : "directory ";
    std::string leaf = kind + inventory.path(entry);
    if (record.kind == EntryKind::kSymlink) leaf += " " + std::string(inventory.symlink_target(entry));
    leaves.push_back(std::move(leaf));
  }
  return leaves;
}

// A tree of random shape; about `known_share` of its leaves become known, the others are `expected`.
class RandomTree {
 public:
  RandomTree(uint32_t seed, double known_share) : random_(seed), is_known_(known_share) {
    inventory.sources.push_back({"site", "", SourceKind::kDirectory});
    const EntryIndex root = inventory.open_directory({});
    add_children("", 0);
    inventory.close_directory(root);
    // A root without anything is an empty directory itself, and not known.
    if (inventory.entry_count() == 1) expected.push_back("directory ");
  }

  Inventory inventory;
  KnownItems items;
  Leaves expected;
  uint64_t known_count = 0;
  uint64_t known_bytes = 0;

 private:
  void add_children(const std::string& path, int depth) {
    const int count = static_cast<int>(random_() % 5);
    for (int i = 0; i < count; ++i) {
      const std::string name = std::string(1, static_cast<char>('a' + i));
      const std::string child = path.empty() ? name : path + "/" + name;
      switch (random_() % 5) {
        case 0:
          inventory.skipped.push_back({child, "fifo", inventory.entry_count(), 0});
          expected.push_back("skipped " + child);
          break;
        case 1:
          inventory.add_symlink(name, "to " + name);
          if (is_left_out("symlink " + child + " to " + name)) items.add_symlink({"site", child}, "to " + name);
          break;
        case 2: {
          const uint64_t file_bytes = random_() % 100;
          inventory.add_file(name, file_bytes, i);
          if (is_left_out("file " + child)) {
            items.add_file({"site", child}, file_bytes, i);
            known_bytes += file_bytes;
          }
          break;
        }
        default: {
          const EntryIndex directory = inventory.open_directory(name);
          if (depth < 4) add_children(child, depth + 1);
          inventory.close_directory(directory);
          if (inventory.is_empty_directory(directory) && is_left_out("directory " + child)) {
            items.add_empty_directory({"site", child});
          }
        }
      }
    }
  }

  bool is_left_out(const std::string& leaf) {
    if (is_known_(random_)) {
      ++known_count;
      return true;
    }
    expected.push_back(leaf);
    return false;
  }

  std::mt19937 random_;
  std::bernoulli_distribution is_known_;
};

class LeaveOutKnown : public ::testing::Test {
 protected:
  LeaveOutKnown() : sources_(*SourceSet::open({{"site", directory_.path(), SourceKind::kDirectory}}, false)) {}

  testing::TempDir directory_;
  SourceSet sources_;
};

TEST_F(LeaveOutKnown, RandomTreesKeepWhatIsNotKnown) {
  uint64_t known_count = 0;
  for (uint32_t seed = 0; seed < 600; ++seed) {
    SCOPED_TRACE(seed);
    RandomTree tree(seed, seed % 3 * 0.45);
    known_count += tree.known_count;
    const auto kept = leave_out_known(std::move(tree.inventory), sources_, tree.items, {});
    ASSERT_TRUE(kept) << kept.error().message;
    std::multiset<std::string> found;
    for (std::string& leaf : leaves_of(*kept)) found.insert(std::move(leaf));
    EXPECT_EQ(found, std::multiset<std::string>(tree.expected.begin(), tree.expected.end()));
    EXPECT_EQ(kept->known.item_count, tree.known_count);
    EXPECT_EQ(kept->known.bytes, tree.known_bytes);
    EXPECT_EQ(kept->sources.size(), 1u);
  }
  EXPECT_GT(known_count, 600u);
}

TEST_F(LeaveOutKnown, SkippedItemsKeepTheirPlace) {
  Inventory inventory;
  inventory.sources.push_back({"site", "", SourceKind::kDirectory});
  const EntryIndex root = inventory.open_directory({});
  inventory.skipped.push_back({"0", "fifo", inventory.entry_count(), 0});
  inventory.add_file("a", 1, 1);
  const EntryIndex gone = inventory.open_directory("b");
  inventory.add_file("x", 1, 1);
  inventory.skipped.push_back({"b/y", "fifo", inventory.entry_count(), 0});
  inventory.close_directory(gone);
  inventory.add_file("c", 1, 1);
  inventory.skipped.push_back({"d", "fifo", inventory.entry_count(), 0});
  inventory.close_directory(root);
  KnownItems items;
  items.add_file({"site", "b/x"}, 1, 1);
  const auto kept = leave_out_known(std::move(inventory), sources_, items, {});
  ASSERT_TRUE(kept);
  EXPECT_EQ(leaves_of(*kept), (Leaves{"skipped 0", "file a", "skipped b/y", "file c", "skipped d"}));
}

TEST_F(LeaveOutKnown, RootsOfStores) {
  const auto cid = [](std::string_view text) { return sha256_cid(1, kCodecRaw, kernels::sha256(as_bytes(text))); };
  std::vector<StoreSource> sources(2);
  sources[0].roots = {cid("b"), cid("a"), cid("b"), cid("c")};
  sources[1].roots = {cid("a")};
  KnownItems items;
  items.add_dag(cid("a").bytes(), 10);
  items.add_dag(cid("c").bytes(), 5);
  const KnownTotals known = leave_out_known_roots(sources, items);
  EXPECT_EQ(sources[0].roots, std::vector<Cid>{cid("b")});
  EXPECT_TRUE(sources[1].roots.empty());
  EXPECT_EQ(known.item_count, 3u);
  EXPECT_EQ(known.bytes, 25u);
}

}  // namespace
}  // namespace piecework::engine
