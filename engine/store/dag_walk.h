// The walk over a DAG that a store holds, depth first, links in stored order: the order of `ipfs dag export`.
//
// Only blocks that may have links are read, and hashed. A dag-pb child of a UnixFS file whose length is exactly that of
// a leaf with its block size is taken for one unread, and checked when it is packed. What is below a node that is not
// UnixFS, or that has a name or path no file system can hold, has no path: its blocks are kept, and not listed as
// files.
//
// A block may be left *external*: linked, but neither looked for nor walked, because it stands elsewhere or, where that
// is allowed, because the store does not have it.
//
// A block of a codec whose links are not known here is a leaf: it is packed, and what it may link to is not.
//
// An identity CID is a block like others, whose data the CID brings along: `dag export` writes a section for it.
//
// Explicit stack; bytes of nodes on it are dropped, lowest first, where a deep DAG would take too much memory, and read
// again on the way back. Source: design.md 3 and 6, formats.md 3, 7, 10.
#pragma once

#include <atomic>
#include <string_view>
#include <vector>

#include "engine/layout/layout_record.h"
#include "engine/store/block_store.h"
#include "engine/store/store_node.h"

namespace piecework::engine {

// A block where the walk meets it; views live for the call.
struct VisitedBlock {
  CidView cid;
  BlockPlace place;
  StoredBlock::Role role = StoredBlock::Role::kOther;
  std::string_view name;  // its part of the path
  bool is_root = false;
  bool is_file_data = false;
  bool is_unread = false;    // a dag-pb leaf by its length
  bool is_inline = false;    // an identity CID: place.length_bytes of data in the CID itself
  StoredBlock::External external = StoredBlock::External::kNo;  // else only CID, name, depth and tsize are set
  uint32_t external_batch = 0;
  size_t depth = 0;  // nodes above it
  uint32_t child_count = 0;  // links that the walk follows where it goes below
  uint64_t tsize = 0;        // of the root: what a link to it gives; of an external block: what the link says
  uint64_t file_bytes = 0;   // of a file's root, and of a symlink's target
};

class DagVisitor {
 public:
  virtual ~DagVisitor() = default;
  // Whether this block was visited before, by whole CID: then nothing below it is walked.
  virtual bool is_known(const CidView& cid) = 0;
  // Whether a known block that has links is to be looked at again for its role; else it is passed over.
  virtual bool wants_known() const = 0;
  // Called for every block that is not known, and for known ones where they are wanted. False ends the walk.
  virtual bool visit(const VisitedBlock& block, bool known) = 0;
};

// A link to a block that the visitor does not know.
struct MetLink {
  CidView cid;
  std::string_view name;                  // its part of the path
  std::optional<uint64_t> content_bytes;  // of a file's child
  size_t depth = 0;                       // nodes above it
};

// Says which blocks a walk leaves external.
class ExternalBlocks {
 public:
  virtual ~ExternalBlocks() = default;
  // Sets block.external and block.external_batch of a block that is to be left external. An error ends the walk.
  virtual Status decide(const MetLink& link, VisitedBlock& block) = 0;
};

struct DagWalkOptions {
  const std::atomic<bool>* stop = nullptr;
  bool allows_missing = false;       // a block that the store does not have is left external; else it is an error
  ExternalBlocks* external = nullptr;  // asked about every block that is not known, before it is looked for
  size_t resident_bytes_max = 64 * kMiB;
};

// Walks the DAG of `root`, whose name is `name`. Errors (source): kCorrupt, naming the CID and the path in the DAG, for
// a block that is missing, is not what its CID names, or whose links cannot be read; kUnsupported for a block longer
// than kStoreBlockBytesMax or more than 10,000 levels; the store's; kCancelled. A visitor that ends the walk is no
// error.
Status walk_stored_dag(BlockStore& store, const Cid& root, std::string_view name, const DagWalkOptions& options,
                       DagVisitor& visitor);

// What a link to the DAG of `root` gives as Tsize: of dag-pb the block and its links' Tsizes, else the block's length.
// Errors: as above.
Result<uint64_t> stored_dag_tsize(BlockStore& store, const Cid& root, const DagWalkOptions& options);

}  // namespace piecework::engine
