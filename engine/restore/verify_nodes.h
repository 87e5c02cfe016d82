// Checks <piece>.nodes from end to end: frames, their index, the trailer, and that the entries add up to the CAR.
//
// The receipt has the digest of the frames' content only (compressors differ); the reader compares the index with the
// entries. Format: engine/record/nodes_format.h.
#pragma once

#include "engine/record/file_table.h"
#include "io/file.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// What the entries say; the digest is that of the frames' content.
struct NodesFacts {
  SidecarContent content;
  uint64_t section_count = 0;
  uint64_t car_bytes = 0;  // end of the last section
};

// Reads a frame at a time. Errors: kCorrupt where a frame, an entry, the index or the trailer is not what it should be;
// those of reading.
Result<NodesFacts> verify_nodes(const io::File& file);

}  // namespace piecework::engine
