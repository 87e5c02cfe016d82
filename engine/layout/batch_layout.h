// The layout of one batch: a pure function of (entries, sizes, profile, classes of equal content).
//
// Two passes over some ranges of the inventory, neither of which recurses. Bottom-up: directories in reverse order, so
// children come before parents; each gets its kind (flat or HAMT), block length and Tsize. Top-down: records in
// pre-order, first occurrences written and later ones referred to. A HAMT comes from its entries sorted by the hash of
// the name, which *is* its pre-order: an entry's depth is the longest common prefix with its two neighbours, and one
// reverse scan with an accumulator a level closes every shard. Source: formats.md 3-6, UnixFS and IPIP-499.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/layout/content_classes.h"
#include "engine/layout/layout_record.h"
#include "engine/layout/profile.h"
#include "engine/plan/inventory.h"

namespace piecework::engine {

// Entries [begin, end) of an inventory; both ends stand directly after a leaf, or at the start.
struct EntryRange {
  EntryIndex begin = 0;
  EntryIndex end = 0;
  friend bool operator==(const EntryRange&, const EntryRange&) = default;
};

// What a batch holds: not empty, ascending, no two overlap.
using EntryRanges = std::vector<EntryRange>;

// One node of a HAMT below the directory's root shard.
struct ShardLayout {
  uint64_t tsize = 0;
  uint32_t block_bytes = 0;
  uint32_t entry_count = 0;  // of the directory, anywhere below
  ClassId class_id = kUnique;
  uint16_t child_count = 0;
  uint8_t depth = 0;  // 1..7; the root shard has 0
};

struct DirectoryLayout {
  uint64_t tsize = 0;
  uint32_t block_bytes = 0;
  uint32_t entry_count = 0;  // in the batch
  uint32_t child_count = 0;  // links of the root node
  uint32_t shard_begin = 0;  // its shards, in pre-order, among BatchLayout's
  ClassId class_id = kUnique;
  bool is_hamt = false;
};

// Gives the records of stored DAGs, which the layout does not look into.
class DagRecords {
 public:
  virtual ~DagRecords() = default;
  // Hands the records of the DAG of `cid` to `sink` (none where it is null), its root's with the name and bucket of
  // `link`, and adds them to `totals`, whose car_bytes say where they begin. A failure is the implementation's to keep.
  virtual void emit(ByteSpan cid, const LayoutRecord& link, RecordSink* sink, LayoutTotals& totals) = 0;
};

// What a batch holds beside what the inventory says.
struct BatchContent {
  DagRecords* dags = nullptr;  // of stored DAGs; without, they are left out
  // Of a join: the nodes of the batch's only file that stand in other batches, in pre-order.
  std::span<const FileNodePlace> external_nodes{};
};

// Thread-compatible. Holds references: the inventory and the classes outlive it. Its memory comes from the inventory's
// source of pages, whose status() tells of failures in emit() too.
class BatchLayout {
 public:
  // Pass one. Errors: those of the inventory's source of pages; kCorrupt (source) for names that no HAMT can hold: more
  // than one with the same 64-bit hash.
  static Result<BatchLayout> compute(const Inventory& inventory, ContentClasses& classes, const Profile& profile,
                                     EntryRanges ranges);

  // Pass two: hands every record to `sink` (none where it is null) and returns the totals.
  LayoutTotals emit(RecordSink* sink, const BatchContent& content = {});

 private:
  friend class RecordEmitter;

  BatchLayout(const Inventory& inventory, ContentClasses& classes, const Profile& profile, EntryRanges ranges)
      : inventory_(inventory),
        classes_(classes),
        profile_(profile),
        ranges_(std::move(ranges)),
        directory_entries_(inventory.pages()),
        directories_(inventory.pages()),
        shards_(inventory.pages()) {}

  struct Child;  // an entry as its parent links it
  struct HamtItem {
    uint64_t hash = 0;
    EntryIndex entry = 0;
  };

  void collect_directories();
  Status lay_out_directory(EntryIndex directory);
  Status lay_out_hamt(EntryIndex directory, DirectoryLayout& layout);

  // The first entry of `directory` in the batch that is `entry` or stands behind it; the directory's end where there is
  // none. REQUIRES: `entry` is a child of it, or its end.
  EntryIndex child_from(EntryIndex directory, EntryIndex entry) const;
  // Calls `visit` with the entries of `directory` that are in the batch, in name order.
  template <class Visit>
  void for_each_child(EntryIndex directory, Visit&& visit) const {
    const EntryIndex end = inventory_[directory].subtree_end;
    InventoryWalk walk(inventory_);
    for (EntryIndex child = child_from(directory, directory + 1); child < end;
         child = child_from(directory, inventory_[child].subtree_end)) {
      walk.at(child, end);
      visit(child);
    }
  }
  // The same with their hashes, sorted by these: the order of a HAMT's links. REQUIRES: the directory is laid out, or
  // its entries are counted.
  SpillArray<HamtItem> hamt_order(EntryIndex directory) const;
  SpillArray<HamtItem> name_order(EntryIndex directory) const;  // without hashes
  Child link_of(EntryIndex entry) const;
  DirectoryLayout& directory_layout(EntryIndex directory) { return directories_[directory_slot(directory)]; }
  const DirectoryLayout& directory_layout(EntryIndex directory) const {
    return directories_[directory_slot(directory)];
  }
  // The first of directories_ at or after `entry`.
  size_t directory_slot(EntryIndex entry) const;

  const Inventory& inventory_;
  ContentClasses& classes_;
  const Profile& profile_;
  EntryRanges ranges_;
  PagedVector<EntryIndex> directory_entries_;  // those in the batch, ascending
  PagedVector<DirectoryLayout> directories_;   // in the same order
  PagedVector<ShardLayout> shards_;
};

}  // namespace piecework::engine
