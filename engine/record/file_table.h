// <piece>.files.ndjson.zst: one JSON line for every file and symlink of a piece, in DAG order, in independent zstd
// frames. Described in engine/FORMATS.md.
//
// While a piece is packed the lines go into a spool, a temporary file with a name, and are compressed at the end: so a
// checkpoint needs no more than the spool's length, and frames are cut at the same places however often it was stopped.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "engine/piece/dag_filler.h"
#include "engine/record/zstd_frame.h"
#include "io/publish.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {

// Length and SHA-256 of a sidecar's content, uncompressed: what a receipt says about it.
struct SidecarContent {
  uint64_t content_bytes = 0;
  Digest32 sha256{};
};

// Thread-compatible. `spool` outlives the writer.
class FileTableWriter : public PackedFileSink {
 public:
  // Goes on after the first `spool_bytes` of `spool`.
  FileTableWriter(io::PublishedFile& spool, uint64_t spool_bytes) : spool_(spool), spool_bytes_(spool_bytes) {}

  Status add(const PackedFile& row) override;
  Result<uint64_t> flush() override;

  // Compresses the spool into `target`, and hands whole lines to `visit`, where there is one. Errors: the destination's
  // and the visitor's; kCancelled once *stop (may be null) is true.
  Result<SidecarContent> finish(io::PublishedFile& target, const std::atomic<bool>* stop,
                                const std::function<Status(ByteSpan lines)>& visit = {});

 private:
  io::PublishedFile& spool_;
  uint64_t spool_bytes_;
  std::string lines_;  // not in the spool yet
};

}  // namespace piecework::engine
