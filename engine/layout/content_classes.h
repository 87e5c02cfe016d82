// Which entries have equal content, as far as the plan knows: the classes that duplicates are resolved by.
//
// Equal class means equal bytes *and* equal CID (classes are made of whole nodes, never of multihashes alone); class 0
// means "equal to nothing known". Classes are found over the whole plan and resolved per batch: each batch writes its
// own first occurrence and is complete by itself. A directory or inner node is classed only if everything below it is,
// so a tree without duplicates costs nothing here.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/memory/spill_map.h"
#include "engine/plan/inventory.h"
#include "kernels/base/bytes.h"
#include "kernels/base/endian.h"

namespace piecework::engine {

enum class Dedup : uint8_t { kNone, kFiles, kBlocks };

using ClassId = uint32_t;
inline constexpr ClassId kUnique = 0;

// Gives equal keys equal numbers, from 1 on. Keys are SHA-256 digests of what makes two nodes equal: a faster hash
// could be forged, and a forged match would put one user's file in the place of another's. Thread-compatible.
class ClassTable {
 public:
  explicit ClassTable(PageSource* pages = nullptr) : ids_(pages) {}

  ClassId intern(const Digest32& key);
  size_t class_count() const { return ids_.size(); }

 private:
  struct Slot {
    bool is_empty() const { return id == kUnique; }
    uint64_t hash() const { return load_be64(key.data()); }
    bool has_key_of(const Slot& other) const { return key == other.key; }

    Digest32 key{};
    ClassId id = kUnique;
  };
  SpillMap<Slot> ids_;
};

// The classes of an inventory's files. Filled by engine/plan/find_duplicates; read by the layout. Thread-compatible.
class ContentClasses {
 public:
  // Its memory comes from `pages` (null: just memory), which outlives it.
  explicit ContentClasses(Dedup dedup, PageSource* pages = nullptr);

  Dedup dedup() const { return dedup_; }
  ClassTable& table() { return table_; }
  // Every empty file's.
  ClassId empty_file_class() const { return empty_file_class_; }

  // Class of a file's whole DAG; kUnique where nothing is known.
  ClassId file_class(EntryIndex file) const { return file < file_class_.size() ? file_class_[file] : kUnique; }
  // SHA-256 that stands for the file's content where the plan read all of it; else null.
  const Digest32* content_digest(EntryIndex file) const;
  // Dedup::kBlocks: a class for every chunk, in order; else empty.
  std::span<const ClassId> chunk_classes(EntryIndex file) const;

  // Declares the class and content of `file`. REQUIRES: called in ascending order of files, each at most once.
  void set_file(EntryIndex file, ClassId file_class, const Digest32* content, std::span<const ClassId> chunks = {});

 private:
  struct ChunkRange {
    uint64_t begin = 0;
    uint64_t count = 0;
  };

  void extend_to(EntryIndex file);

  Dedup dedup_;
  ClassTable table_;
  ClassId empty_file_class_;
  PagedVector<ClassId> file_class_;
  PagedVector<uint32_t> content_index_;  // 1-based into contents_
  PagedVector<Digest32> contents_;
  PagedVector<ChunkRange> chunk_range_;  // kBlocks only
  std::vector<ClassId> chunks_;
};

// Keys of nodes, for ClassTable::intern. Each begins with a byte of its own, so that kinds never meet.
Digest32 symlink_key(std::string_view target);
Digest32 content_key(const Digest32& content);
Digest32 file_node_key(std::span<const ClassId> children);

// Classes of a file's inner nodes from those of its chunks: element 0 is the level above the leaves, the last one the
// root's. A node is classed only if all its children are.
std::vector<std::vector<ClassId>> file_node_classes(ClassTable& table, std::span<const ClassId> chunks,
                                                    uint32_t max_links);

}  // namespace piecework::engine
