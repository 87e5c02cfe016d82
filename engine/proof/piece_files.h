// One piece as proofs need it: sections by CID from <piece>.nodes, subtree roots from <piece>.tree, and few bytes of
// <piece>.car: blocks that hold file data and have to be taken apart, and segments that a proof touches in part.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/piece/piece_size.h"
#include "engine/proof/item_locator.h"
#include "engine/proof/proof_tree.h"
#include "engine/record/nodes_reader.h"
#include "io/file.h"
#include "kernels/base/error.h"

namespace piecework::engine {

struct SectionPlace {
  uint64_t car_offset_bytes = 0;
  uint64_t section_bytes = 0;
  uint64_t block_bytes = 0;
  size_t frame = 0;  // of the entry in <piece>.nodes
  size_t entry = 0;  // its place in the frame
};

// Thread-compatible. Memory: 24 bytes a section of the piece once one is looked for, 32 bytes a segment, and a frame
// and a segment.
class PieceFiles {
 public:
  // The tree must lead to the piece's CID. Errors (source): kNotFound, kCorrupt, those of reading.
  static Result<std::unique_ptr<PieceFiles>> open(const PieceRecord& record);
  PieceFiles(const PieceFiles&) = delete;
  PieceFiles& operator=(const PieceFiles&) = delete;

  const PieceRecord& record() const { return record_; }
  const Receipt& receipt() const { return record_.receipt; }
  const Cid& root_cid() const { return root_cid_; }
  const Digest32& root() const { return root_; }

  // None where the piece does not hold it.
  Result<std::optional<SectionPlace>> find(const Cid& cid);
  // The section's block, checked against `cid`: from <piece>.nodes where it is there, else from the CAR.
  Result<std::vector<uint8_t>> read_block(const Cid& cid, const SectionPlace& place);
  // Errors: kNotFound where there is no CAR, with what to do.
  Status read_payload(MutableByteSpan target, uint64_t offset_bytes);
  // The root of a subtree. Below a segment's height its segment is read from the CAR and checked against the tree.
  Result<Digest32> subtree(const TreeNode& node);

 private:
  struct IndexEntry {
    uint64_t key = 0;  // the last bytes of the CID
    uint64_t car_offset_bytes = 0;
    uint32_t frame = 0;
    uint32_t entry = 0;
  };

  explicit PieceFiles(const PieceRecord& record) : record_(record) {}
  Status make_index();
  Status load_segment(uint64_t number);

  PieceRecord record_;
  Cid root_cid_;
  Digest32 root_{};
  std::vector<Digest32> segment_roots_;
  io::File nodes_file_;
  std::optional<NodesReader> nodes_;
  std::vector<IndexEntry> index_;
  bool has_index_ = false;
  std::optional<uint64_t> segment_;  // the one in segment_payload_
  std::vector<uint8_t> segment_payload_;
};

}  // namespace piecework::engine
