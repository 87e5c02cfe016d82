// One block seen by itself (what kind of node, is it well-formed) and its links one after the other. Source: formats.md
// 2, 3, 6, 11. Rules between a parent and its children are verify_dag.h's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/codec/dag_pb.h"
#include "engine/codec/unixfs.h"
#include "engine/restore/verify_index.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

struct NodeFacts {
  BlockKind kind = BlockKind::kUnknownCodec;
  bool has_links = false;
  uint64_t content_bytes = 0;  // of kRaw and kFile
  unsigned fanout_bits = 0;    // of kHamtShard
  const char* restore_warning =
      nullptr;  // why it is a good block, but no file, directory or symlink that can be restored
};

// Decodes a block by its codec and checks it against every rule that needs no other block. Errors: kCorrupt.
Result<NodeFacts> inspect_node(const CidView& cid, ByteSpan data);

// A link as the walk sees it.
struct NodeLink {
  CidView cid;
  std::string_view name;                  // as stored: a HAMT's with its prefix, a chunk's and dag-cbor's empty
  std::optional<uint64_t> content_bytes;  // of a file's child
};

// The links of a block that inspect_node accepted, in stored order; owns the block's bytes. Thread-compatible.
class NodeCursor {
 public:
  // Errors: kCorrupt, where the bytes are others than those inspected.
  static Result<std::unique_ptr<NodeCursor>> open(uint64_t codec, std::vector<uint8_t> data);
  NodeCursor(const NodeCursor&) = delete;
  NodeCursor& operator=(const NodeCursor&) = delete;

  // nullopt after the last. The link points into this object.
  std::optional<NodeLink> next();
  // Passes over the first `link_count` links. REQUIRES: there are as many, and next() was not called yet.
  void skip(uint64_t link_count);

  BlockKind kind() const { return kind_; }
  const HamtShape& shape() const { return shape_; }  // of kHamtShard
  size_t data_bytes() const { return data_.size(); }
  // The links of a directory or shard, for checks over all names; none of other codecs.
  PbLinks pb_links() const { return node_.links(); }
  uint64_t link_count() const { return node_.link_count; }
  // The UnixFS message, where there is one; points into this object.
  const std::optional<UnixfsData>& unixfs() const { return unixfs_; }
  // The bytes of a file that stand in this node itself, before those of its children; a symlink's target.
  ByteSpan inline_content() const { return unixfs_ && unixfs_->data ? *unixfs_->data : ByteSpan{}; }
  // Of kFile: bytes of the file from here down.
  uint64_t content_bytes() const { return unixfs_ ? unixfs_->content_bytes() + unixfs_->block_size_sum : 0; }

 private:
  explicit NodeCursor(std::vector<uint8_t> data) : data_(std::move(data)) {}
  Status open_dag_pb();

  std::vector<uint8_t> data_;
  BlockKind kind_ = BlockKind::kOtherNode;
  HamtShape shape_;
  PbNode node_;
  std::optional<PbLinks::Iterator> next_;
  std::optional<UnixfsBlockSizes> block_sizes_;
  std::optional<UnixfsData> unixfs_;
  std::vector<Cid> data_links_;  // of kLinkedData
  size_t data_links_done_ = 0;
};

}  // namespace piecework::engine
