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

// Thread-compatible. Holds references: the inventory and the classes outlive it.
class BatchLayout {
 public:
  // Pass one. Errors: kCorrupt (source) for names that no HAMT can hold: more than one with the same 64-bit hash.
  static Result<BatchLayout> compute(const Inventory& inventory, ContentClasses& classes, const Profile& profile,
                                     EntryRanges ranges);

  // Pass two: hands every record to `sink` (none where it is null) and returns the totals.
  LayoutTotals emit(RecordSink* sink, const BatchContent& content = {});

 private:
  friend class RecordEmitter;

  BatchLayout(const Inventory& inventory, ContentClasses& classes, const Profile& profile, EntryRanges ranges)
      : inventory_(inventory), classes_(classes), profile_(profile), ranges_(std::move(ranges)) {}

  struct Child;  // an entry as its parent links it
  struct HamtItem {
    uint64_t hash = 0;
    EntryIndex entry = 0;
  };

  void collect_directories();
  Status lay_out_directory(EntryIndex directory);
  void lay_out_flat(const std::vector<Child>& children, DirectoryLayout& layout);
  Status lay_out_hamt(EntryIndex directory, const std::vector<Child>& children, DirectoryLayout& layout);

  // The entries of `directory` that are in the batch, in name order.
  void collect_children(EntryIndex directory, std::vector<EntryIndex>& children) const;
  // The same sorted by hash, and the order of a HAMT's links.
  std::vector<HamtItem> hamt_order(EntryIndex directory) const;
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
  PagedVector<EntryIndex, 1024> directory_entries_;  // those in the batch, ascending
  PagedVector<DirectoryLayout, 1024> directories_;   // in the same order
  PagedVector<ShardLayout, 1024> shards_;
};

}  // namespace piecework::engine
