// The fill stage: walks a run's events in order, encodes every parent link by link, and fills holes as digests arrive.
//
// Because the layout is known, a link's place in the CAR is known when its child is done. So a parent is never kept in
// memory: each link goes straight to its place (in the run's buffer, or late, to a place that an earlier run has
// passed) and into the parent's running SHA-256; an open parent costs one hash state, whatever its length. Serial, in
// run order.
#pragma once

#include <string>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/codec/unixfs.h"
#include "engine/layout/profile.h"
#include "engine/piece/class_store.h"
#include "engine/piece/run.h"
#include "engine/piece/state_bytes.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {

enum class PackedKind : uint8_t {
  kFile,
  kSymlink,
  kDirectory,  // of a store, equal to one that stands elsewhere in the piece and is listed there
};

// A file or symlink of the packed tree, once its CID is known.
struct PackedFile {
  std::string_view path;
  PackedKind kind = PackedKind::kFile;
  ByteSpan cid;
  uint64_t size_bytes = 0;              // of a symlink: of its target
  std::span<const ByteRange> sections;  // of the CAR that hold its nodes, in DAG order
  bool has_more_sections = false;       // some nodes are written with other content and not listed
};

class PackedFileSink {
 public:
  virtual ~PackedFileSink() = default;
  virtual Status add(const PackedFile& file) = 0;
  // Stores what was added; returns how long the table is by now, for a checkpoint.
  virtual Result<uint64_t> flush() = 0;
};

// Thread-compatible.
class DagFiller {
 public:
  DagFiller(const Profile& profile, ClassStore classes, PackedFileSink& files)
      : profile_(profile), classes_(std::move(classes)), files_(files) {}

  // Processes the next run: run.bytes(), holes, late bytes and the spool parts. Errors: the destination's.
  Status fill(Run& run);

  // Everything that filling the next run depends on but the classes: what is handed out as Run::class_puts.
  // Some hundred bytes an open node.
  void save(StateWriter& writer) const;
  // Makes this filler, fresh from its constructor, the one that was saved after `car_bytes` of the CAR. False: these
  // bytes are not from one; it can then only be thrown away.
  [[nodiscard]] bool restore(StateReader& reader, uint64_t car_bytes);

  // After the last run.
  [[nodiscard]] ByteSpan root_cid() const { return {root_cid_, root_cid_bytes_}; }
  [[nodiscard]] uint64_t block_count() const { return block_count_; }
  [[nodiscard]] uint64_t spool_bytes() const { return spool_bytes_; }

 private:
  // An inner node whose children are not all done.
  struct OpenNode {
    SectionEvent event;
    std::string name;
    kernels::Sha256 hasher;
    uint64_t written_bytes = 0;    // of the block
    uint64_t spool_cid_bytes = 0;  // place of the CID in the spool; the block follows it
    uint64_t child_count = 0;
    uint64_t first_child_bytes = 0;  // file content below the first and the last child
    uint64_t last_child_bytes = 0;
    HamtBitfield buckets;
    size_t path_bytes = 0;  // of the path around it
    bool has_parts_elsewhere = false;
  };
  // A node that is done: what its parent's link and the file table need.
  struct DoneNode {
    uint8_t cid[kCidBytesMax];
    size_t cid_bytes = 0;
    bool has_parts_elsewhere = false;
  };

  // A block of a store whose children are not all done.
  struct OpenBlock {
    SectionEvent event;
    std::string name;
    DoneNode node;
    size_t path_bytes = 0;  // of the path around it
  };

  static void save_node(const OpenNode& node, StateWriter& writer);
  static void save_block(const OpenBlock& block, StateWriter& writer);
  bool restore_node(OpenNode& node, StateReader& reader, uint64_t car_bytes) const;
  bool restore_block(OpenBlock& block, StateReader& reader) const;
  bool restore_paths(StateReader& reader);
  Status handle(const SectionEvent& event);
  void enter(const SectionEvent& event);
  Status exit();
  Status leaf(const SectionEvent& event);
  Status refer(const SectionEvent& event);
  Status list_shadow(const SectionEvent& event);
  DoneNode done_node(const Digest32& digest, bool is_raw) const;
  Status keep_class(const SectionEvent& event, const Digest32& digest, bool is_raw, bool has_parts_elsewhere);
  Status list_file(std::string_view name, PackedKind kind, const DoneNode& node, uint64_t size_bytes, bool has_more);
  DoneNode stored_node(const SectionEvent& event) const;
  Status stored_block(const SectionEvent& event);
  Status stored_exit();
  Status stored_reference(const SectionEvent& event);
  void link_stored(const SectionEvent& event, std::string_view name, const DoneNode& node);
  void add_file_section(ByteRange section);
  void link_to_parent(const SectionEvent& event, std::string_view name, const DoneNode& node);
  void append_to(OpenNode& node, ByteSpan bytes);
  void write_data_field(OpenNode& node);
  void push_path(std::string_view name);
  void put(uint64_t offset_bytes, ByteSpan bytes);
  void put_spool(uint64_t offset_bytes, ByteSpan bytes);
  uint64_t spool_section(const SectionEvent& event, ByteSpan cid, ByteSpan block, bool is_file_data);
  void collect_holes();

  const Profile& profile_;
  ClassStore classes_;
  PackedFileSink& files_;
  Run* run_ = nullptr;
  std::vector<OpenNode> open_;
  size_t open_count_ = 0;  // entries of open_ in use; the others keep their memory
  std::vector<OpenBlock> open_blocks_;
  std::vector<size_t> shadow_path_bytes_;
  std::string path_;
  std::vector<ByteRange> file_sections_;  // of the file at hand
  bool in_file_ = false;
  uint64_t walk_end_bytes_ = 0;  // end of the last section placed
  uint64_t block_count_ = 0;
  uint64_t spool_bytes_ = 0;
  uint8_t root_cid_[kCidBytesMax] = {};
  size_t root_cid_bytes_ = 0;
};

}  // namespace piecework::engine
