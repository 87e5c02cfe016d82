// A run: consecutive whole sections of a CAR on their way through the pipeline, with all that the stages need to know.
//
// A run begins and ends between sections, so no block is ever carried from one run to the next;
// what a run leaves of a segment waits in the SegmentAssembler. Everything in a Run is reused from one round to the
// next.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/piece/piece_checkpoint.h"
#include "engine/piece/run_hashes.h"
#include "io/file.h"
#include "io/slot_pool.h"
#include "kernels/base/error.h"
#include "kernels/base/units.h"

namespace piecework::engine {

// What happens at one point of the pre-order walk of a batch's DAG.
struct SectionEvent {
  enum class Kind : uint8_t {
    kEnter,        // an inner node: its section is a hole until kExit
    kExit,         // all children of the innermost open node are done
    kLeaf,         // a chunk of a file
    kSymlink,      // its block is made from the text in the arena
    kRefer,        // a node that is written elsewhere
    kShadowEnter,  // a directory below a reference
    kShadowExit,
    kShadowFile,  // a file below a reference
    kShadowSymlink,
    kBlock,       // a block of a store, nothing below it
    kBlockEnter,  // a block of a store; what is below it follows
    kBlockExit,
    kBlockRefer,  // a block of a store that is written elsewhere
  };
  enum class Role : uint8_t { kDirectory, kShard, kFile, kFilePart, kSymlink, kOther };

  Kind kind = Kind::kLeaf;
  Role role = Role::kFilePart;  // kFile: the root of a file's DAG; kFilePart: a node below it
  bool is_hamt = false;         // kEnter of a directory
  bool is_dag_root = false;     // kBlock*: the innermost open node, if any, links to it
  bool is_file_data = false;    // kBlock*: content of a file, left out of the spool
  bool is_unread = false;       // kBlock: must have no links
  bool is_inline = false;       // kBlock*: an identity CID, whose data is in the CID
  uint8_t name_bytes = 0;
  int16_t bucket = -1;
  uint32_t name_position = 0;  // in the run's arena; a symlink's target or a stored block's CID follows its name
  uint32_t target_bytes = 0;   // of that
  // kRefer, kShadow*: where the digest comes from; kBlock*: number of the source; else: to be kept under this number
  uint32_t class_index = 0;
  uint32_t header_bytes = 0;  // of the section, before its block
  uint32_t block_bytes = 0;
  uint32_t digest_index = 0;  // kLeaf, kSymlink: in the run's digests
  uint64_t offset_bytes = 0;  // of the section in the CAR
  uint64_t tsize = 0;
  uint64_t file_bytes = 0;  // of the file's content below the node
};
static_assert(sizeof(SectionEvent) <= 64, "a run of tiny files has many");

// A file whose sections lie in more than one run: opened once, by whoever comes first.
struct SharedFile {
  std::once_flag once;
  io::File file;
  io::FileStamp stamp;
  Status status;
};

// File bytes that belong at a place of the run's buffer.
struct ReadExtent {
  uint64_t file_offset_bytes = 0;
  uint32_t length_bytes = 0;
  uint32_t buffer_offset_bytes = 0;
};

// A file of which a run reads something, or only checks that it has not changed (no extents); or a block of a store,
// whose content is checked by its digest.
struct FileToRead {
  uint32_t path_position = 0;  // in the arena: the path in the packed tree, NUL-terminated; of a block its CID
  uint32_t path_bytes = 0;
  uint32_t extent_begin = 0;
  uint32_t extent_end = 0;
  uint64_t file_bytes = 0;
  int64_t mtime_ns = 0;
  std::shared_ptr<SharedFile> shared;  // null where this run holds the whole file
  int32_t store_source = -1;           // of a block: the number of its source
};

// Bytes for a place that an earlier run has passed: late holes, and their copies in the spool of <piece>.nodes.
struct LateBytes {
  struct Extent {
    uint64_t offset_bytes = 0;
    uint32_t length_bytes = 0;
  };
  std::vector<Extent> extents;  // consecutive in `bytes`
  std::vector<uint8_t> bytes;

  void clear();
  // Adds to the last extent where `source` directly follows it.
  void add(uint64_t offset_bytes, ByteSpan source);
};

inline constexpr uint64_t kPageBytes = 4096;

// Where the source stage stands after a run.
struct BuilderPosition {
  uint64_t step_count = 0;
  // A file that the run's end cuts, of which this run or an earlier one reads something; else null.
  std::shared_ptr<SharedFile> cut_file;
  std::string cut_path;  // in the packed tree
};

class ColdFiles;  // cold_files.h

// Belongs to one stage at a time.
struct Run {
  uint64_t sequence = 0;
  io::Slot slot;
  uint64_t begin_bytes = 0;  // in the CAR
  uint32_t length_bytes = 0;
  bool is_last = false;

  // Made by the source stage.
  std::vector<SectionEvent> events;
  std::vector<char> arena;
  std::vector<FileToRead> files;
  std::vector<ReadExtent> extents;
  uint32_t digest_count = 0;
  BuilderPosition end_position;

  // Between the two halves of the read stage (source_reader.h); null where all was in memory.
  std::shared_ptr<ColdFiles> cold_files;

  // Made by the digest stage.
  std::vector<Digest32> digests;

  // Made by the fill stage.
  std::vector<ByteRange> holes;
  LateBytes late;
  uint64_t spool_begin_bytes = 0;
  std::vector<uint8_t> spool;  // the run's part of the sections' spool
  LateBytes late_spool;
  std::vector<ClassPut> class_puts;
  uint64_t file_table_bytes = 0;  // with this run's files
  std::vector<uint8_t> state;     // for a checkpoint behind this run

  // Made by the hash stage.
  RunHashes hashes;

  Status status;  // the first failure; later stages pass the run on

  MutableByteSpan bytes() const { return slot.bytes.subspan(buffer_phase(), length_bytes); }
  // Files are written in whole pages where that helps: a byte's place in the buffer has its CAR offset's place in the
  // page.
  size_t buffer_phase() const { return begin_bytes % kPageBytes; }
  // Appends to the arena; returns the place there.
  uint32_t add_text(std::string_view text);
  std::string_view text(uint32_t position, uint32_t count) const { return {arena.data() + position, count}; }
  std::string_view name(const SectionEvent& event) const { return text(event.name_position, event.name_bytes); }
  // What follows the name: a symlink's target, a stored block's CID.
  std::string_view target(const SectionEvent& event) const {
    return text(event.name_position + event.name_bytes, event.target_bytes);
  }
  // The whole pages of the CAR that are complete with this run, from the one that it begins in. What stands before the
  // run in its first page comes from the run before (PieceStages::fill).
  ByteSpan pages() const { return slot.bytes.first(align_down(buffer_phase() + length_bytes, kPageBytes)); }
  // What is left over: the start of the next run's first page.
  ByteSpan last_page() const { return slot.bytes.first(buffer_phase() + length_bytes).subspan(pages().size()); }
  uint64_t pages_begin_bytes() const { return begin_bytes - buffer_phase(); }
  void clear();
};

}  // namespace piecework::engine
