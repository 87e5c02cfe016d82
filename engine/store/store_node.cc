#include "engine/store/store_node.h"

#include "engine/codec/block_links.h"

namespace piecework::engine {

Result<std::unique_ptr<StoreNode>> StoreNode::open(uint64_t codec, std::vector<uint8_t> data) {
  std::unique_ptr<StoreNode> node(new StoreNode(std::move(data)));
  if (codec == kCodecDagPb) {
    PIECEWORK_TRY(node->open_dag_pb());
    return node;
  }
  PIECEWORK_TRY(list_block_links(codec, node->data_, node->links_));
  node->link_count_ = node->links_.size();
  return node;
}

Status StoreNode::open_dag_pb() {
  PIECEWORK_ASSIGN(const PbNode node, decode_pb_node(data_));
  link_count_ = node.link_count;
  for (const PbLink& link : node.links()) links_tsize_ += link.tsize;  // a hint: may wrap where it lies
  next_ = node.links().begin();
  end_ = node.links().end();
  return read_unixfs(node);
}

Status StoreNode::read_unixfs(const PbNode& node) {
  if (!node.data) return {};
  PIECEWORK_ASSIGN(const UnixfsData message, decode_unixfs(*node.data));
  PIECEWORK_TRY(check_unixfs_node(node, message));
  switch (message.type) {
    case UnixfsType::kRaw:
    case UnixfsType::kFile:
      kind_ = Kind::kFile;
      inline_bytes_ = message.content_bytes();
      content_bytes_ = inline_bytes_ + message.block_size_sum;
      block_sizes_.emplace(message);
      return {};
    case UnixfsType::kDirectory:
      kind_ = Kind::kDirectory;
      return {};
    case UnixfsType::kHamtShard: {
      PIECEWORK_ASSIGN(shape_, check_hamt_shard(node, message));
      kind_ = Kind::kShard;
      return {};
    }
    case UnixfsType::kSymlink:
      kind_ = Kind::kSymlink;
      content_bytes_ = message.content_bytes();
      return {};
    case UnixfsType::kMetadata:
      return {};
  }
  return {};
}

std::optional<StoreLink> StoreNode::next() {
  if (!next_) {
    if (links_done_ == links_.size()) return std::nullopt;
    return StoreLink{.cid = links_[links_done_++].view(), .name = {}, .content_bytes = {}};
  }
  if (*next_ == *end_) return std::nullopt;
  StoreLink link{.cid = (*next_)->cid, .name = (*next_)->name, .content_bytes = {}, .tsize = (*next_)->tsize};
  if (block_sizes_) link.content_bytes = block_sizes_->next();
  ++*next_;
  return link;
}

}  // namespace piecework::engine
