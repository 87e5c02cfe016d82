// A UnixFS tree as its entries, depth first, links in stored order; shards of a HAMT count as their directory.
//
// Rules between a parent and its child are those of verify. What cannot be read is a fault of the place where it
// stands, and the walk goes on beside it. Source: formats.md 3, 6, 11.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/restore/block_reader.h"
#include "engine/restore/node_stack.h"

namespace piecework::engine {

enum class TreeKind : uint8_t { kDirectory, kFile, kSymlink, kOther };  // kOther: not UnixFS
std::string_view to_string(TreeKind kind);

// Views live for the call.
struct TreeEntry {
  std::string_view path;  // from the root, as bytes; the root's is ""
  std::string_view name;
  CidView cid;
  BlockPlace place;
  TreeKind kind = TreeKind::kOther;
  uint64_t size_bytes = 0;           // of a file's content or a symlink's target
  std::string_view link_target;      // of a symlink
  const UnixfsData* unixfs = nullptr;  // mode and mtime; none for raw blocks and what is not UnixFS
  size_t depth = 0;                  // directories above it
};

class TreeVisitor {
 public:
  virtual ~TreeVisitor() = default;
  // A directory, before what is in it. False: the walk does not go there. `node` is its (root) node.
  virtual Result<bool> enter(const TreeEntry& directory, const NodeCursor& node) = 0;
  // After all entries of a directory that was entered.
  virtual Status leave() = 0;
  // A file. `node` is its root where that had to be read, else none (a raw block).
  virtual Status file(const TreeEntry& entry, std::unique_ptr<NodeCursor> node) = 0;
  virtual Status symlink(const TreeEntry& entry) = 0;
  virtual Status other(const TreeEntry& entry) = 0;
  // Something at fault.path cannot be read, or cannot be restored.
  virtual Status fault(VerifyFinding fault) = 0;
};

struct TreeWalkOptions {
  // Names that no restore may create, names that occur twice, entries in the wrong place of a HAMT, and symlinks with a
  // NUL byte are faults; else they are entries like others.
  bool is_strict = false;
  // Directories in directories; more are a fault of the lowest.
  uint64_t depth_max = 1000;
  const std::atomic<bool>* stop = nullptr;
};

// Walks the tree of `root`, which stands at `path` ("" for the root of a CAR). Errors: the visitor's; kCancelled; of
// the reader, other than faults of blocks.
Status walk_tree(BlockReader& reader, const Cid& root, std::string_view path, const TreeWalkOptions& options,
                 TreeVisitor& visitor);

// What stands at a path.
struct FoundEntry {
  Cid cid;
  TreeKind kind = TreeKind::kOther;
};
// Looks `path` up below `root`; empty components are passed over, symlinks not followed. None where there is no such
// entry. Errors: of reading.
Result<std::optional<FoundEntry>> find_path(BlockReader& reader, const Cid& root, std::string_view path);

// A directory of parts, as pack leaves it at the path of an item that is larger than a piece: every name is 20 digits.
bool is_parts_directory(const NodeCursor& directory);

// A block as an entry of a tree: its node where that had to be read.
struct OpenedEntry {
  BlockPlace place;
  TreeKind kind = TreeKind::kOther;
  std::unique_ptr<NodeCursor> node;
};
// Raw blocks and those of unknown codecs are not read, unless `reads_leaves`: then their digest is checked.
Result<OpenedEntry> open_entry(BlockReader& reader, const CidView& cid, bool reads_leaves = false);

}  // namespace piecework::engine
