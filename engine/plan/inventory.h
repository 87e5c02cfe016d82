// What there is to pack: every entry of the sources in walk order, 32 bytes each and its name.
//
// Entries stand in depth-first pre-order, children sorted by name bytes, so the subtree of entry i is [i, subtree_end),
// a batch is a list of ranges of entries, and nothing depends on the order in which a file system lists names.
// Directories with contents belong to a batch if anything below them does; files, symlinks and empty directories are
// its *leaves*.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/layout/file_shape.h"
#include "engine/memory/paged_vector.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

enum class EntryKind : uint8_t {
  kDirectory,
  kFile,
  kSymlink,
  kDag,       // a DAG of a store, named by its root's CID: a leaf here
  kFilePart,  // a subtree of a file that is larger than a piece, in a directory at the file's path
};

using EntryIndex = uint32_t;
inline constexpr EntryIndex kEntryCountMax = 0xFFFFFFF0u;

// Which subtree of which file a part is.
struct FilePart {
  uint64_t file_bytes = 0;  // of the whole file
  FileNodePlace place;
};

struct Entry {
  // In the arena; a symlink's target, a DAG's CID or a part's numbers follow its name there.
  uint64_t name_position = 0;
  uint64_t content_bytes = 0;  // of a file or part; length of a symlink's target; what a link to a DAG gives as Tsize
  int64_t mtime_ns = 0;
  EntryIndex subtree_end = 0;
  uint8_t name_bytes = 0;
  EntryKind kind = EntryKind::kFile;
  uint8_t cid_bytes = 0;  // of a DAG
  uint8_t reserved = 0;
};
static_assert(sizeof(Entry) == 32, "millions of entries are held in memory");

enum class SourceKind : uint8_t { kDirectory, kFile, kKuboRepository, kCar };

// One source: where it stands and what it is called in a root that joins several.
struct Source {
  std::string name;  // unique within a plan; bytes
  std::string path;  // as opened
  SourceKind kind = SourceKind::kFile;

  // Holds blocks with CIDs, which are kept.
  bool is_store() const { return kind == SourceKind::kKuboRepository || kind == SourceKind::kCar; }
};

// An item that was left out, and why ("fifo", "socket", "device", "output directory", "permission denied", ...).
struct SkippedItem {
  std::string path;
  std::string reason;
  EntryIndex position = 0;  // of the entry that follows it in walk order
  uint32_t batch = 0;       // that it would have been in
};

// Items that were left out because they are in earlier pieces (--known): files by their length, DAGs by their Tsize.
// And known blocks that new DAGs link to and the batches leave external, each once a batch, by the links' Tsizes: those
// are hints, say what is below too, and dag-cbor and dag-json have none.
struct KnownTotals {
  uint64_t item_count = 0;
  uint64_t bytes = 0;
  uint64_t block_count = 0;
  uint64_t block_bytes = 0;
};

class Inventory {
 public:
  // Its entries' memory comes from `pages` (null: just memory), which outlives it.
  explicit Inventory(PageSource* pages = nullptr) : pages_(pages), entries_(pages), parents_(pages), arena_(pages) {}

  // Where what is computed of the entries may lie too; may be null.
  PageSource* pages() const { return pages_; }
  const Entry& operator[](EntryIndex index) const { return entries_[index]; }
  EntryIndex entry_count() const { return static_cast<EntryIndex>(entries_.size()); }

  std::string_view name(EntryIndex index) const {
    const Entry& entry = entries_[index];
    return {arena_.at(entry.name_position), entry.name_bytes};
  }
  // REQUIRES: a symlink.
  std::string_view symlink_target(EntryIndex index) const {
    const Entry& entry = entries_[index];
    return {arena_.at(entry.name_position) + entry.name_bytes, entry.content_bytes};
  }
  // REQUIRES: a DAG.
  ByteSpan dag_cid(EntryIndex index) const {
    const Entry& entry = entries_[index];
    return as_bytes({arena_.at(entry.name_position) + entry.name_bytes, entry.cid_bytes});
  }
  // REQUIRES: a part of a file.
  FilePart file_part(EntryIndex index) const;
  bool is_empty_directory(EntryIndex index) const {
    return entries_[index].kind == EntryKind::kDirectory && entries_[index].subtree_end == index + 1;
  }
  bool is_leaf(EntryIndex index) const {
    return entries_[index].kind != EntryKind::kDirectory || is_empty_directory(index);
  }

  // The directory that holds the entry; the root is its own.
  EntryIndex parent(EntryIndex index) const { return parents_[index]; }

  // The path from the root, without the root's own name.
  std::string path(EntryIndex index) const;

  // Building, in pre-order: open() a directory, add() what it holds, close() it.
  EntryIndex open_directory(std::string_view name);
  void close_directory(EntryIndex directory);
  EntryIndex add_file(std::string_view name, uint64_t file_bytes, int64_t mtime_ns);
  EntryIndex add_symlink(std::string_view name, std::string_view target);
  EntryIndex add_dag(std::string_view name, ByteSpan cid, uint64_t tsize);
  EntryIndex add_file_part(std::string_view name, uint64_t part_bytes, int64_t mtime_ns, const FilePart& part);

  // A copy. `replace` is asked about every entry, with the copy so far: where it returns true it has added what stands
  // in the entry's place, or nothing; of a directory it must then do so for all that is below.
  Inventory copy(const std::function<bool(EntryIndex, Inventory&)>& replace) const;

  std::vector<Source> sources;       // in the order of the root's entries
  bool root_joins_sources = false;   // entry 0 is a directory with one entry per source
  std::vector<SkippedItem> skipped;  // in walk order
  KnownTotals known;

  // Everything so far lies where it should (PageSource::status).
  Status status() const { return pages_ != nullptr ? pages_->status() : Status(); }

 private:
  friend class InventoryWalk;

  Entry& add(std::string_view name, EntryKind kind, std::string_view target);

  PageSource* pages_;
  PagedVector<Entry> entries_;
  PagedVector<EntryIndex> parents_;
  EntryIndex innermost_ = 0;  // of the open directories
  TextArena arena_;
};

// Said by whoever walks over entries in order: what does not lie in memory is then read ahead, and left behind again
// (PageSource::rest). Thread-compatible; the inventory outlives it.
class InventoryWalk {
 public:
  explicit InventoryWalk(const Inventory& inventory) : inventory_(inventory) {}

  // The walk is at `entry`, and will not go to `end`. REQUIRES: entry < end <= entry_count().
  void at(EntryIndex entry, EntryIndex end) {
    if (inventory_.pages_ == nullptr || (begin_ <= entry && entry < end_)) return;
    begin_ = entry;
    end_ = std::min(end, entry + std::min(kAheadEntries, kEntryCountMax - entry));
    announce();
  }

 private:
  static constexpr EntryIndex kAheadEntries = 16384;

  void announce() const;

  const Inventory& inventory_;
  EntryIndex begin_ = 0;  // of what was announced last
  EntryIndex end_ = 0;
};

}  // namespace piecework::engine
