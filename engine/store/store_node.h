// One block of a store as planning sees it: what it is in UnixFS, and its links. Source: formats.md 2, 3, 6, 10.
//
// As strict as verify: a block whose links cannot be read, or whose UnixFS data breaks a rule, is an error. dag-pb
// without Data is a node that is neither file nor directory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/codec/unixfs.h"
#include "kernels/base/error.h"

namespace piecework::engine {

struct StoreLink {
  CidView cid;
  std::string_view name;                  // as stored: a HAMT's with its prefix
  std::optional<uint64_t> content_bytes;  // of a file's child
  uint64_t tsize = 0;                     // a hint; 0 where the codec has none
};

// Owns the block's bytes. Thread-compatible.
class StoreNode {
 public:
  enum class Kind : uint8_t { kDirectory, kShard, kFile, kSymlink, kOther };

  // `data` is what `codec` says. Errors: kCorrupt (source), with the offset in the block.
  static Result<std::unique_ptr<StoreNode>> open(uint64_t codec, std::vector<uint8_t> data);
  StoreNode(const StoreNode&) = delete;
  StoreNode& operator=(const StoreNode&) = delete;

  Kind kind() const { return kind_; }
  uint64_t link_count() const { return link_count_; }
  uint64_t content_bytes() const { return content_bytes_; }  // of kFile: of the whole file; of kSymlink: of its target
  uint64_t inline_bytes() const { return inline_bytes_; }    // of these, the ones that stand in this node
  uint64_t tsize() const { return data_.size() + links_tsize_; }
  size_t data_bytes() const { return data_.size(); }
  // Of a kShard: its fanout, and the length of its names' prefix.
  const HamtShape& shape() const { return shape_; }
  size_t prefix_bytes() const { return kind_ == Kind::kShard ? shape_.prefix_bytes : 0; }

  // The next link in stored order, or none after the last. Points into this object.
  std::optional<StoreLink> next();

 private:
  explicit StoreNode(std::vector<uint8_t> data) : data_(std::move(data)) {}
  Status open_dag_pb();
  Status read_unixfs(const PbNode& node);

  std::vector<uint8_t> data_;
  Kind kind_ = Kind::kOther;
  uint64_t link_count_ = 0;
  uint64_t content_bytes_ = 0;
  uint64_t inline_bytes_ = 0;
  uint64_t links_tsize_ = 0;
  HamtShape shape_;
  std::optional<PbLinks::Iterator> next_;
  std::optional<PbLinks::Iterator> end_;
  std::optional<UnixfsBlockSizes> block_sizes_;
  std::vector<Cid> links_;  // of codecs other than dag-pb
  size_t links_done_ = 0;
};

}  // namespace piecework::engine
