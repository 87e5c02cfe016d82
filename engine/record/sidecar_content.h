// Length and SHA-256 of what a compressed sidecar holds, uncompressed: compressors differ, contents do not.
#pragma once

#include "engine/record/file_table.h"
#include "io/file.h"

namespace piecework::engine {

// `file` is a <piece>.files.ndjson.zst or, with `has_index`, a <piece>.nodes, whose index and trailer do not count.
// Reads a frame at a time. Errors: kCorrupt where frames do not decode; of reading.
Result<SidecarContent> read_sidecar_content(const io::File& file, bool has_index);

}  // namespace piecework::engine
