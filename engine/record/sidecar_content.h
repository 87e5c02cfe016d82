// Length and SHA-256 of what a compressed sidecar holds, uncompressed: compressors differ, contents do not.
#pragma once

#include <functional>

#include "engine/record/file_table.h"
#include "io/file.h"

namespace piecework::engine {

// `file` is a <piece>.files.ndjson.zst or, with `has_index`, a <piece>.nodes, whose index and trailer do not count.
// Reads a frame at a time and hands its content to `visit`, where there is one. Errors: kCorrupt where frames do not
// decode; of reading; the visitor's. What was visited is right only where the result is what the receipt says.
Result<SidecarContent> read_sidecar_content(const io::File& file, bool has_index,
                                            const std::function<Status(ByteSpan frame)>& visit = {});

}  // namespace piecework::engine
