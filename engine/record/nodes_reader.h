// Reads <piece>.nodes: the index at its end, then only the frames that a question needs. Format: nodes_format.h,
// FORMATS.md.
//
// Everything is checked against itself: frames, their index and the entries must follow each other without a gap. That
// the content is the one a receipt names, or that blocks have their digests, is for the caller to check.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/record/nodes_format.h"
#include "io/file.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// One section of the CAR. The views hold as long as the frame they were decoded from.
struct NodesEntry {
  NodesEntryKind kind = NodesEntryKind::kNode;
  uint64_t car_offset_bytes = 0;  // of the section: of its varint
  uint64_t section_bytes = 0;     // varint, CID and block
  uint64_t block_bytes = 0;
  CidView cid;
  ByteSpan block;          // kNode only: file data is in the CAR and in the source
  size_t entry_bytes = 0;  // of this entry in its frame

  uint64_t car_end_bytes() const { return car_offset_bytes + section_bytes; }
  uint64_t block_offset_bytes() const { return car_end_bytes() - block_bytes; }  // in the CAR
};

// Decodes the entry at the start of `content`, whose section stands at `car_offset_bytes`. Errors: kCorrupt.
Result<NodesEntry> decode_nodes_entry(ByteSpan content, uint64_t car_offset_bytes);

// Thread-compatible: keeps the frame that it decoded last, so that questions about neighbours decode it once.
// Memory: the index, 32 bytes a frame, and one frame.
class NodesReader {
 public:
  using Visitor = std::function<Status(const NodesEntry& entry)>;

  // Reads and checks the index. `file` outlives the reader. Errors: kCorrupt; those of reading.
  static Result<NodesReader> open(const io::File& file);

  std::span<const NodesFrameIndex> frames() const { return index_; }
  uint64_t content_bytes() const { return content_bytes_; }  // of all frames
  // Where the first section stands: the length of the CAR's header. 0 where there is no section.
  uint64_t first_section_bytes() const { return index_.empty() ? 0 : index_[0].car_offset_bytes; }

  // The content of frame `number`, valid until another one is read. REQUIRES: number < frames().size().
  Result<ByteSpan> read_frame(size_t number);
  // Calls `visit` for every entry of frame `number` in order, and checks that they end where the next frame begins.
  // Returns the end of the last section in the CAR. Errors: also the visitor's, at once.
  Result<uint64_t> visit_frame(size_t number, const Visitor& visit);

  // Every entry, in the order of the CAR.
  Status visit_all(const Visitor& visit);
  // Every entry whose section has a byte in [begin_bytes, end_bytes) of the CAR; decodes the frames of these only.
  Status visit_range(uint64_t begin_bytes, uint64_t end_bytes, const Visitor& visit);

 private:
  static constexpr size_t kNoFrame = ~size_t{0};

  explicit NodesReader(const io::File& file) : file_(&file) {}

  tl::unexpected<Error> corrupt(std::string_view what) const;
  Status read(uint64_t offset_bytes, uint64_t length_bytes);
  Status decompress(uint64_t content_bytes_max, std::string_view what);
  Status read_index();
  Status check_index(uint64_t index_offset_bytes) const;
  size_t frame_at(uint64_t car_offset_bytes) const;

  const io::File* file_;
  std::vector<NodesFrameIndex> index_;
  uint64_t content_bytes_ = 0;
  size_t frame_ = kNoFrame;  // the one in content_
  std::vector<uint8_t> compressed_;
  std::vector<uint8_t> content_;
};

}  // namespace piecework::engine
