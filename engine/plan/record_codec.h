// Layout records as bytes: what a plan file stores and what a plan's digest is made of.
//
//   record = kind flags [bucket] varint(name length) name body varint(class_index) [marks] [mtime or place]
//   flags  = reference(bit 0) shadow(1) hamt(2) has_bucket(3) has_content(4) has_marks(5)
//   body   = directory, shard: varint child_count, varint block_bytes, u64 tsize
//            file:             varint file_bytes [32 bytes content]
//            symlink:          varint length, target
//            block:            role(bits 0-2) dag_root(3) file_data(4) unread(5) inline(6), varint length, CID,
//                              varint block_bytes, varint child_count, [u64 tsize: of a DAG's root]
//                              [u64 file_bytes: of a file or symlink] [varint first_offset_bytes: of a reference]
//            file part:        varint file_bytes, varint level, varint index
//            block external:    128, varint length, CID, varint why, varint batch
//   marks  = varint count, count * varint(class_index << 2 | kind)
//   mtime  = files and parts: int64 little-endian, ns
//   place  = blocks: varint source_index, varint offset
//
// What decides a batch's bytes is hashed: every byte of a record but the place of a block, and the mtime of files whose
// content the plan has read (or that are empty). So copies that keep their times give the same digest, and a file
// edited in place gives another.
#pragma once

#include <vector>

#include "engine/layout/layout_record.h"
#include "kernels/base/error.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {

// Appends `record` to `target`, and what decides bytes to `digest`.
void encode_record(const LayoutRecord& record, std::vector<uint8_t>& target, kernels::Sha256& digest);

// Decodes records one after the other. Thread-compatible.
class RecordDecoder {
 public:
  RecordDecoder() = default;
  // `bytes` holds whole records and outlives the decoder.
  explicit RecordDecoder(ByteSpan bytes) : rest_(bytes) {}

  bool at_end() const { return rest_.empty(); }
  // The next record; views in it live until the next call, `digest` receives what encode_record gave it.
  // Errors: kCorrupt (config): the plan is damaged.
  Result<LayoutRecord> next(kernels::Sha256& digest);

 private:
  bool take_varint(uint64_t& value);
  bool take_bytes(uint64_t count, ByteSpan& bytes);
  bool take_u64(uint64_t& value);
  bool take_body(LayoutRecord& record, bool has_content);
  bool take_block(LayoutRecord& record);
  bool take_external(StoredBlock& block);
  bool take_place(StoredBlock& block);
  bool take_marks(LayoutRecord& record);

  ByteSpan rest_;
  Digest32 content_{};
  std::vector<NodeMark> marks_;
};

}  // namespace piecework::engine
