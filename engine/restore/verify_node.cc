// Blocks by themselves; see verify_node.h.
#include "engine/restore/verify_node.h"

#include "engine/codec/block_links.h"
#include "kernels/base/check.h"

namespace piecework::engine {
namespace {

BlockKind kind_of(UnixfsType type) {
  switch (type) {
    case UnixfsType::kRaw:
    case UnixfsType::kFile:
      return BlockKind::kFile;
    case UnixfsType::kDirectory:
      return BlockKind::kDirectory;
    case UnixfsType::kHamtShard:
      return BlockKind::kHamtShard;
    case UnixfsType::kSymlink:
      return BlockKind::kSymlink;
    case UnixfsType::kMetadata:
      break;
  }
  return BlockKind::kOtherNode;
}

bool has_nul(const UnixfsData& symlink) {
  return as_text(symlink.data.value_or(ByteSpan{})).find('\0') != std::string_view::npos;
}

Result<NodeFacts> inspect_dag_pb(ByteSpan data) {
  PIECEWORK_ASSIGN(const PbNode node, decode_pb_node(data));
  NodeFacts facts{.kind = BlockKind::kOtherNode, .has_links = node.link_count > 0};
  if (!node.data) {
    facts.restore_warning = "dag-pb without Data: not UnixFS";
    return facts;
  }
  PIECEWORK_ASSIGN(const UnixfsData message, decode_unixfs(*node.data));
  PIECEWORK_TRY(check_unixfs_node(node, message));
  facts.kind = kind_of(message.type);
  if (facts.kind == BlockKind::kOtherNode) facts.restore_warning = "UnixFS Metadata: neither file nor directory";
  if (facts.kind == BlockKind::kSymlink && has_nul(message)) facts.restore_warning = "symlink target with a NUL byte";
  if (facts.kind == BlockKind::kFile) facts.content_bytes = message.content_bytes() + message.block_size_sum;
  if (facts.kind == BlockKind::kHamtShard) {
    PIECEWORK_ASSIGN(const HamtShape shape, check_hamt_shard(node, message));
    facts.fanout_bits = shape.bits_per_level;
  }
  return facts;
}

Result<NodeFacts> inspect_linked_data(uint64_t codec, ByteSpan data) {
  NodeFacts facts{.kind = BlockKind::kLinkedData};
  PIECEWORK_TRY(visit_block_links(codec, data, [&facts](const CidView&) -> Status {
    facts.has_links = true;
    return {};
  }));
  return facts;
}

}  // namespace

Result<NodeFacts> inspect_node(const CidView& cid, ByteSpan data) {
  switch (cid.codec) {
    case kCodecRaw:
      return NodeFacts{.kind = BlockKind::kRaw, .content_bytes = data.size()};
    case kCodecDagPb:
      return inspect_dag_pb(data);
    case kCodecDagCbor:
    case kCodecDagJson:
      return inspect_linked_data(cid.codec, data);
    default:
      return NodeFacts{.kind = BlockKind::kUnknownCodec, .restore_warning = "links of this codec are not followed"};
  }
}

Result<std::unique_ptr<NodeCursor>> NodeCursor::open(uint64_t codec, std::vector<uint8_t> data) {
  std::unique_ptr<NodeCursor> cursor(new NodeCursor(std::move(data)));
  if (codec == kCodecDagPb) {
    PIECEWORK_TRY(cursor->open_dag_pb());
  } else {
    cursor->kind_ = BlockKind::kLinkedData;
    PIECEWORK_TRY(list_block_links(codec, cursor->data_, cursor->data_links_));
  }
  return cursor;
}

Status NodeCursor::open_dag_pb() {
  PIECEWORK_ASSIGN(node_, decode_pb_node(data_));
  next_ = node_.links().begin();
  if (!node_.data) return {};
  PIECEWORK_ASSIGN(const UnixfsData message, decode_unixfs(*node_.data));
  PIECEWORK_TRY(check_unixfs_node(node_, message));
  unixfs_ = message;
  kind_ = kind_of(message.type);
  if (kind_ == BlockKind::kFile) block_sizes_.emplace(message);
  if (kind_ == BlockKind::kHamtShard) {
    PIECEWORK_ASSIGN(shape_, check_hamt_shard(node_, message));
  }
  return {};
}

std::optional<NodeLink> NodeCursor::next() {
  if (kind_ == BlockKind::kLinkedData) {
    if (data_links_done_ == data_links_.size()) return std::nullopt;
    return NodeLink{data_links_[data_links_done_++].view(), {}, {}};
  }
  if (*next_ == node_.links().end()) return std::nullopt;
  NodeLink link{(*next_)->cid, (*next_)->name, {}};
  if (block_sizes_) link.content_bytes = block_sizes_->next();
  ++*next_;
  return link;
}

void NodeCursor::skip(uint64_t link_count) {
  for (uint64_t i = 0; i < link_count; ++i) PIECEWORK_CHECK(next().has_value());
}

}  // namespace piecework::engine
