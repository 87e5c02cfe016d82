// The content of a UnixFS file, or a range of it, as the blocks that hold it, in order of the file.
//
// Inner nodes are read and checked on the way; leaves are left to the caller, who may read them on any thread. Subtrees
// outside the range are not looked at. Source: formats.md 3, 11.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/restore/block_reader.h"
#include "engine/restore/node_stack.h"

namespace piecework::engine {

// A piece of a file's content: a leaf still to be read, or bytes that were.
struct FileChunk {
  Cid cid;
  BlockPlace place;
  uint64_t offset_bytes = 0;   // in the file
  uint64_t content_bytes = 0;  // that the leaf must have
  // Of the content: what of it lies in the range.
  uint64_t skip_bytes = 0;
  uint64_t wanted_bytes = 0;
  std::optional<std::vector<uint8_t>> content;  // where it is here already: of a node that had to be read
};

// Reads a chunk's content, which is what its parent says it is, into `buffer`, and sets `wanted` to what lies in the
// range: a part of `buffer` or of the chunk. Errors: as BlockReader::read; kCorrupt where the leaf has another length
// or links. Safe for concurrent use with different buffers.
Status read_chunk(BlockReader& reader, const FileChunk& chunk, std::vector<uint8_t>& buffer, ByteSpan& wanted);

// Thread-compatible.
class FileReader {
 public:
  // Of the bytes from `begin_bytes` to before `end_bytes`. `node` is the file's root where that is dag-pb, else none.
  // `place` and `size_bytes` are the root's. REQUIRES: begin_bytes <= end_bytes <= size_bytes.
  FileReader(BlockReader& reader, const CidView& root, const BlockPlace& place, std::unique_ptr<NodeCursor> node,
             uint64_t begin_bytes, uint64_t end_bytes);

  // The next chunk, or none at the end of the range. After an error, failed_cid() and failed_place() say of which
  // block. Errors: kCorrupt, kNotFound (source): the DAG is not what it should be; of the reader.
  Result<std::optional<FileChunk>> next();

  const Cid& failed_cid() const { return failed_cid_; }
  const std::optional<BlockPlace>& failed_place() const { return failed_place_; }

 private:
  Result<std::optional<FileChunk>> take_link(const NodeLink& link);
  Result<std::optional<FileChunk>> open_child(const CidView& cid, const BlockPlace& place, uint64_t content_bytes);
  std::optional<FileChunk> make_chunk(const CidView& cid, const BlockPlace& place, uint64_t offset_bytes,
                                      uint64_t content_bytes) const;
  std::optional<FileChunk> push(const CidView& cid, const BlockPlace& place, std::unique_ptr<NodeCursor> node);

  BlockReader& reader_;
  uint64_t begin_bytes_;
  uint64_t end_bytes_;
  bool reaches_end_ = false;  // children without content behind the last byte are looked at too
  NodeStack stack_;
  uint64_t offset_bytes_ = 0;  // in the file, of what comes next
  uint64_t empty_count_ = 0;
  std::optional<FileChunk> first_;  // of the root
  Cid failed_cid_;
  std::optional<BlockPlace> failed_place_;
};

}  // namespace piecework::engine
