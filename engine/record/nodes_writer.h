// <piece>.nodes: CIDs of all sections and the bytes of every one that is not file data. Format: nodes_format.h,
// FORMATS.md.
//
// Sections become known out of order (a parent after its children), but the place of each in the uncompressed stream is
// known from the layout. So the stream is written into a spool, holes included, and compressed in order at the end. The
// spool is a temporary file with a name: a later attempt goes on in it.
#pragma once

#include <atomic>

#include "engine/record/file_table.h"
#include "io/publish.h"

namespace piecework::engine {

// Thread-compatible. `spool` outlives it.
class NodesSpool {
 public:
  explicit NodesSpool(io::PublishedFile& spool) : spool_(spool) {}

  Status write(ByteSpan bytes, uint64_t offset_bytes) { return spool_.write(bytes, offset_bytes); }

  // Compresses the first `content_bytes` of the spool into `target`, frame by frame. `first_section_bytes` is the
  // offset of the first section in the CAR. Errors: the destination's; kCancelled once *stop (may be null) is true.
  Result<SidecarContent> finish(uint64_t content_bytes, uint64_t first_section_bytes, io::PublishedFile& target,
                                const std::atomic<bool>* stop);

 private:
  io::PublishedFile& spool_;
};

}  // namespace piecework::engine
