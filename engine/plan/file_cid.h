// The CID of a file's content under a profile, from its bytes alone: the same DAG that the layout plans and the
// pipeline packs (engine/layout/file_shape.h).
#pragma once

#include <atomic>

#include "engine/codec/cid.h"
#include "engine/layout/profile.h"
#include "io/file.h"

namespace piecework::engine {

// Reads all `file_bytes` of `file`. Memory: 4 MiB or a chunk, and 32 bytes a chunk. `read_bytes` grows, for progress;
// may be null. REQUIRES: file_bytes <= FileShape::kFileBytesMax, a profile that passed check_profile. Errors (source):
// of reading; kChanged where the file is shorter.
Result<Cid> file_cid(const io::File& file, uint64_t file_bytes, const Profile& profile,
                     std::atomic<uint64_t>* read_bytes);

// What of a profile decides a file's CID is equal.
bool same_file_cids(const Profile& a, const Profile& b);

}  // namespace piecework::engine
