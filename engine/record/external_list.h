// receipts/<plan digest>/<batch>.external.ndjson.zst: the blocks that a CAR links to and does not hold, on purpose. One
// JSON line each, in the order of the first links to them, in independent zstd frames. Described in engine/FORMATS.md.
//
// It lies with the receipt and not with the piece: where a block stands instead is no fact of the piece.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "engine/plan/plan_file.h"
#include "engine/record/file_table.h"
#include "engine/store/cid_map.h"
#include "io/file.h"
#include "io/publish.h"

namespace piecework::engine {

using External = StoredBlock::External;

std::string external_list_name(uint32_t batch);  // "<batch>.external.ndjson.zst"

// Writes the list of a batch into `target`, whole frames of about 1 MiB. Thread-compatible.
class ExternalListWriter {
 public:
  explicit ExternalListWriter(io::PublishedFile& target) : target_(target) {}

  // A CID that was added before is passed over. `batch` counts for kPart. Errors: the destination's.
  Status add(ByteSpan cid, External why, uint32_t batch);
  // Adds what the records of a batch leave external. Errors: also kCancelled once *stop (may be null) is true.
  Status add_records(BatchReader& records, const std::atomic<bool>* stop);
  Result<SidecarContent> finish();
  uint64_t count() const { return seen_.size(); }

 private:
  Status flush();

  io::PublishedFile& target_;
  CidMap seen_;
  std::string lines_;
  std::vector<uint8_t> frame_;
  ZstdCompressor compressor_;
  kernels::Sha256 hasher_;
  uint64_t content_bytes_ = 0;
  uint64_t written_bytes_ = 0;
};

// What a list says, in memory: 43 bytes a block at most. Thread-compatible.
class ExternalList {
 public:
  struct Block {
    External why = External::kNo;
    uint32_t batch = 0;  // of kPart
  };
  // Reads a whole list; its length and digest go to `content`. Errors: kCorrupt (of the file's side); of reading.
  static Result<ExternalList> read(const io::File& file, SidecarContent& content);

  // kNo where the list does not have the block.
  Block find(ByteSpan cid) const;
  uint64_t count() const { return blocks_.size(); }

 private:
  CidMap blocks_;  // batch << 2 | why
};

}  // namespace piecework::engine
