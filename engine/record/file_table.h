// <piece>.files.ndjson.zst: one JSON line for every file and symlink of a piece, in DAG order, in independent zstd
// frames. Described in engine/FORMATS.md.
#pragma once

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

// Thread-compatible. `file` outlives the writer.
class FileTableWriter : public PackedFileSink {
 public:
  explicit FileTableWriter(io::PublishedFile& file) : file_(file) {}

  Status add(const PackedFile& row) override;
  // Writes what is left.
  Result<SidecarContent> finish();

 private:
  Status flush();

  io::PublishedFile& file_;
  ZstdCompressor compressor_;
  std::string lines_;
  std::vector<uint8_t> frame_;
  kernels::Sha256 hasher_;
  uint64_t content_bytes_ = 0;
  uint64_t written_bytes_ = 0;
};

}  // namespace piecework::engine
