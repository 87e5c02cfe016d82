// One record of a layout: what stands where in a batch's DAG, in depth-first pre-order (the order of the CAR).
//
// A layout is a list of records. Each directory says how many records follow as its direct children; the children of a
// HAMT node carry their bucket. Offsets are not stored: they are the running sum of section lengths. A reference stands
// where a node occurs again: it writes nothing, and where it refers to a directory or shard the records below it are
// *shadows*, there only to be listed and change-checked.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/layout/file_shape.h"
#include "kernels/base/bytes.h"

namespace piecework::engine {

enum class RecordKind : uint8_t {
  kDirectory,  // flat, or the root shard of a HAMT (`is_hamt`)
  kShard,      // a HAMT node below a directory's root shard
  kFile,
  kSymlink,
  kBlock,     // a block that a store holds already, with its CID (`stored`)
  kFilePart,  // a subtree of a file that is larger than a piece (`part`), as a file in a directory at the file's path
};

// What a record of kind kBlock adds. Its children in the DAG follow as `child_count` records; a reference has none,
// since what is below it stands where it was written.
struct StoredBlock {
  enum class Role : uint8_t { kDirectory, kShard, kFile, kFilePart, kSymlink, kOther };
  Role role = Role::kOther;
  bool is_dag_root = false;   // what links to it, if anything, is a directory that Piecework makes
  bool is_file_data = false;  // its block is content of a file: left out of <piece>.nodes
  bool is_unread = false;     // taken for a leaf by its length alone; that it has no links is checked when it is packed
  bool is_inline = false;     // an identity CID: its data is in the CID, no store has it

  // Why a block that is linked is not in this CAR. Of such a record only the CID and the next two fields count.
  enum class External : uint8_t {
    kNo,
    kPart,     // in the piece of another batch of the plan, `external_batch`
    kMissing,  // the source does not have it (--partial)
    kKnown,    // in an earlier piece (--known-grain block)
  };
  External external = External::kNo;
  uint32_t external_batch = 0;

  ByteSpan cid;
  uint64_t first_offset_bytes = 0;  // on a reference: its section in the CAR

  // Where the store keeps it; no part of what decides the bytes.
  uint32_t source_index = 0;        // of the plan's sources: a repository, or the CAR that it lies in
  uint64_t place_offset_bytes = 0;  // in a CAR
};

// How a node inside a file's DAG is treated, in pre-order; what is below a reference is not listed.
struct NodeMark {
  enum class Kind : uint8_t {
    kWrite,
    kDefine,
    kRefer,
    kExternal,  // in a join: it stands in the piece of another batch; `class_index` counts such nodes from 1
  };
  Kind kind = Kind::kWrite;
  uint32_t class_index = 0;  // for all but kWrite
};

struct LayoutRecord {
  RecordKind kind = RecordKind::kFile;
  bool is_reference = false;  // the node is written elsewhere in this CAR: `class_index` says which
  bool is_shadow = false;     // below a reference
  bool is_hamt = false;       // kDirectory: its children carry buckets
  int bucket = -1;            // 0..255 where the parent is a HAMT node: two hex digits before the link's name

  std::string_view name;     // empty for shards and for the root
  uint32_t child_count = 0;  // directories, shards, blocks: direct children among the records that follow
  uint64_t block_bytes = 0;  // directories, shards, blocks: length of the node's block
  uint64_t tsize = 0;        // directories and shards, references included; roots of stored DAGs

  uint64_t file_bytes = 0;            // files, blocks that are a file's root; of a file's part: of the whole file
  int64_t mtime_ns = 0;               // files and their parts
  FileNodePlace part;                 // kFilePart
  const Digest32* content = nullptr;  // files that the plan read: stands for their bytes in the plan's digest
  std::string_view target;            // symlinks

  // 1-based number of the node's class within the batch. On a reference or shadow: where its digest comes from.
  // Elsewhere: the node is the first occurrence of this class, its digest is kept; 0 where nobody refers to it.
  uint32_t class_index = 0;

  StoredBlock stored;  // kBlock

  // Files with inner nodes that are classed: one mark for every node below the root. Empty: all are written.
  std::span<const NodeMark> marks;
};

// Receives the records of a batch in order. The views in a record live for the call only.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  virtual void record(const LayoutRecord& record) = 0;
};

// What a layout comes to.
struct LayoutTotals {
  uint64_t car_bytes = 0;
  uint64_t block_count = 0;
  uint64_t file_count = 0;       // regular files, shadows included
  uint64_t source_bytes = 0;     // their lengths
  uint64_t duplicate_bytes = 0;  // of these, not written because equal bytes are in the batch already
  uint32_t class_count = 0;
  uint64_t stored_section_bytes_max = 0;  // the longest section of a store's block
  uint64_t external_count = 0;             // links to blocks that are not in the CAR on purpose
};

}  // namespace piecework::engine
