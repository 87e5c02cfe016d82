// What is in a piece already and is left out of an incremental plan: a set of items, 32 bytes each.
//
// A DAG of a store is known by its root's CID, where all of it is in pieces (known_blocks.h). A file is known by the
// name of its source, its path in the source, size and mtime; a symlink by its target in place of these; an empty
// directory by its path alone. Whether the source stood alone in the plan or was joined with others makes no
// difference. For --known-check a file is known by the CID of its root in place of the mtime. read_known.h fills the
// set from an output directory, leave_out_known.h asks it.
//
// Keys are 24 bytes of SHA-256 (cid_map.h): these are users' files, and one that is taken for another would be in no
// piece.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/plan/known_blocks.h"
#include "engine/store/cid_map.h"

namespace piecework::engine {

// What is left out of a plan: items that are known, or of new items also the blocks that are.
enum class KnownGrain : uint8_t { kItem, kBlock };

// Where an item stands: `path` is relative to the source; "" is the source itself.
struct ItemPlace {
  std::string_view source_name;
  std::string_view path;
};

// The place of what stands at `tree_path` in the packed tree: where the root joins sources, the path begins with the
// source's name; else `only_source_name` is its name.
ItemPlace item_place(std::string_view tree_path, bool root_joins_sources, std::string_view only_source_name);

// Thread-compatible; const members are safe for concurrent use.
class KnownItems {
 public:
  explicit KnownItems(KnownGrain grain = KnownGrain::kItem) : blocks_(grain == KnownGrain::kItem) {}

  void add_dag(ByteSpan root_cid, uint64_t tsize) { dags_.add(root_cid, std::min(tsize, UINT64_MAX - 1)); }
  void add_file(const ItemPlace& place, uint64_t file_bytes, int64_t mtime_ns);
  void add_symlink(const ItemPlace& place, std::string_view target);
  void add_empty_directory(const ItemPlace& place);
  // A file for has_content(), which add_file() does not make known.
  void add_content(const ItemPlace& place, uint64_t file_bytes, ByteSpan cid);

  // The Tsize that the DAG was added with, or none, also where something below the root is in no piece.
  std::optional<uint64_t> find_dag(ByteSpan root_cid) const {
    return blocks_.is_incomplete(root_cid) ? std::nullopt : dags_.find(root_cid);
  }
  bool has_file(const ItemPlace& place, uint64_t file_bytes, int64_t mtime_ns) const;
  bool has_symlink(const ItemPlace& place, std::string_view target) const;
  bool has_empty_directory(const ItemPlace& place) const;
  // Whether a file of this length was there with any content: only then has_content() can be true.
  bool has_content_of_size(const ItemPlace& place, uint64_t file_bytes) const;
  bool has_content(const ItemPlace& place, uint64_t file_bytes, ByteSpan cid) const;

  KnownBlocks& blocks() { return blocks_; }
  const KnownBlocks& blocks() const { return blocks_; }

 private:
  KnownBlocks blocks_;
  CidMap dags_;
  CidMap items_;  // of texts that begin with a byte for the kind of question
};

}  // namespace piecework::engine
