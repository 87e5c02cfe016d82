// <piece>.nodes: CIDs of all sections and the bytes of every one that is not file data. Format: nodes_format.h,
// FORMATS.md.
//
// Sections become known out of order (a parent after its children), but the place of each in the uncompressed stream is
// known from the layout. So the stream is written into an unlinked spool, holes included, and compressed in order at
// the end.
#pragma once

#include <string>

#include "engine/record/file_table.h"
#include "io/file.h"
#include "io/publish.h"

namespace piecework::engine {

// Thread-compatible.
class NodesSpool {
 public:
  // Makes the spool in `directory_path`. Errors: the destination's.
  static Result<NodesSpool> create(const std::string& directory_path);

  Status write(ByteSpan bytes, uint64_t offset_bytes) { return spool_.write_full(bytes, offset_bytes); }

  // Compresses the first `content_bytes` of the spool into `target`, frame by frame. `first_section_bytes` is the
  // offset of the first section in the CAR. Errors: the destination's.
  Result<SidecarContent> finish(uint64_t content_bytes, uint64_t first_section_bytes, io::PublishedFile& target);

 private:
  io::File spool_;
};

}  // namespace piecework::engine
