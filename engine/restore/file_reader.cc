// See file_reader.h.
#include "engine/restore/file_reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace piecework::engine {
namespace {

constexpr size_t kLevelsMax = 10'000;
// Children without content, which no importer makes: a small DAG can hold any number of them.
constexpr uint64_t kEmptyChildrenMax = 1'000'000;

tl::unexpected<Error> corrupt(std::string what) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource, std::move(what));
}

// Of a dag-pb leaf with `content_bytes` of content.
uint64_t leaf_node_bytes(uint64_t content_bytes) { return pb_data_bytes(unixfs_leaf_bytes(content_bytes)); }

}  // namespace

Status read_chunk(BlockReader& reader, const FileChunk& chunk, std::vector<uint8_t>& buffer, ByteSpan& wanted) {
  const auto cut = [&chunk](ByteSpan content) {
    return content.subspan(static_cast<size_t>(chunk.skip_bytes), static_cast<size_t>(chunk.wanted_bytes));
  };
  if (chunk.content) {
    wanted = cut(*chunk.content);
    return {};
  }
  const CidView cid = chunk.cid.view();
  PIECEWORK_TRY(reader.read(cid, chunk.place, buffer));
  ByteSpan content = buffer;
  if (cid.codec == kCodecDagPb) {
    PIECEWORK_ASSIGN(const PbNode node, decode_pb_node(buffer));
    if (!node.data) return corrupt("a file's child without Data");
    PIECEWORK_ASSIGN(const UnixfsData message, decode_unixfs(*node.data));
    PIECEWORK_TRY(check_unixfs_node(node, message));
    const bool is_file = message.type == UnixfsType::kFile || message.type == UnixfsType::kRaw;
    if (!is_file || node.link_count != 0) return corrupt("a file's child is a leaf by its length, and has other nodes");
    content = message.data.value_or(ByteSpan{});
  }
  if (content.size() != chunk.content_bytes) {
    return corrupt(fmt::format("it has {} bytes of file, its parent says {}", content.size(), chunk.content_bytes));
  }
  wanted = cut(content);
  return {};
}

FileReader::FileReader(BlockReader& reader, const CidView& root, const BlockPlace& place,
                       std::unique_ptr<NodeCursor> node, uint64_t begin_bytes, uint64_t end_bytes)
    : reader_(reader), begin_bytes_(begin_bytes), end_bytes_(end_bytes), stack_(reader) {
  const uint64_t size_bytes = node ? node->content_bytes() : place.length_bytes;
  reaches_end_ = end_bytes == size_bytes;
  if (node) {
    first_ = push(root, place, std::move(node));
  } else if (place.length_bytes == 0) {
    first_ = FileChunk{.cid = Cid(root), .place = place, .content = {}};  // nothing to read, but a digest to check
  } else {
    first_ = make_chunk(root, place, 0, place.length_bytes);
  }
}

// What of a chunk lies in the range; none where nothing does.
std::optional<FileChunk> FileReader::make_chunk(const CidView& cid, const BlockPlace& place, uint64_t offset_bytes,
                                                uint64_t content_bytes) const {
  const uint64_t begin_bytes = std::max(begin_bytes_, offset_bytes);
  const uint64_t end_bytes = std::min(end_bytes_, offset_bytes + content_bytes);
  if (begin_bytes >= end_bytes) return std::nullopt;
  return FileChunk{.cid = Cid(cid),
                   .place = place,
                   .offset_bytes = offset_bytes,
                   .content_bytes = content_bytes,
                   .skip_bytes = begin_bytes - offset_bytes,
                   .wanted_bytes = end_bytes - begin_bytes,
                   .content = {}};
}

// Puts a node on the stack; its own content comes before that of its children.
std::optional<FileChunk> FileReader::push(const CidView& cid, const BlockPlace& place,
                                          std::unique_ptr<NodeCursor> node) {
  const ByteSpan content = node->inline_content();
  std::optional<FileChunk> chunk = make_chunk(cid, place, offset_bytes_, content.size());
  if (chunk) chunk->content.emplace(content.begin(), content.end());
  offset_bytes_ += content.size();
  if (node->link_count() > 0) stack_.push(cid, place, std::move(node));
  return chunk;
}

Result<std::optional<FileChunk>> FileReader::next() {
  if (first_) return std::exchange(first_, std::nullopt);
  while (!stack_.empty() && (offset_bytes_ < end_bytes_ || reaches_end_)) {
    failed_cid_ = stack_.top_cid();
    failed_place_ = stack_.top_place();
    PIECEWORK_ASSIGN(const std::optional<NodeLink> link, stack_.next());
    if (!link) {
      stack_.pop();
      continue;
    }
    PIECEWORK_ASSIGN(std::optional<FileChunk> chunk, take_link(*link));
    if (chunk) return chunk;
  }
  return std::nullopt;
}

Result<std::optional<FileChunk>> FileReader::take_link(const NodeLink& link) {
  const uint64_t content_bytes = *link.content_bytes;
  if (content_bytes == 0 && ++empty_count_ > kEmptyChildrenMax) {
    return corrupt(fmt::format("a file with more than {} children without content", kEmptyChildrenMax));
  }
  // Sums of block sizes were checked against 64 bits node by node.
  if (content_bytes > 0 && offset_bytes_ + content_bytes <= begin_bytes_) {
    offset_bytes_ += content_bytes;
    return std::nullopt;
  }
  const Cid cid(link.cid);
  failed_cid_ = cid;
  failed_place_.reset();
  PIECEWORK_ASSIGN(const BlockPlace place, reader_.find(cid.view()));
  failed_place_ = place;
  return open_child(cid.view(), place, content_bytes);
}

Result<std::optional<FileChunk>> FileReader::open_child(const CidView& cid, const BlockPlace& place,
                                                        uint64_t content_bytes) {
  const bool is_raw = cid.codec == kCodecRaw;
  if (!is_raw && cid.codec != kCodecDagPb) return corrupt("a file's child is a file or raw block, and this is not");
  if (is_raw && place.length_bytes != content_bytes) {
    return corrupt(fmt::format("it has {} bytes of file, its parent says {}", place.length_bytes, content_bytes));
  }
  if (is_raw || (content_bytes > 0 && place.length_bytes == leaf_node_bytes(content_bytes))) {
    std::optional<FileChunk> chunk = make_chunk(cid, place, offset_bytes_, content_bytes);
    offset_bytes_ += content_bytes;
    return chunk;
  }
  PIECEWORK_ASSIGN(std::unique_ptr<NodeCursor> node, reader_.open_node(cid, place));
  if (node->kind() != BlockKind::kFile) return corrupt("a file's child is a file or raw block, and this is not");
  if (node->content_bytes() != content_bytes) {
    return corrupt(fmt::format("it has {} bytes of file, its parent says {}", node->content_bytes(), content_bytes));
  }
  if (stack_.depth() == kLevelsMax) return corrupt(fmt::format("a file of more than {} levels", kLevelsMax));
  return push(cid, place, std::move(node));
}

}  // namespace piecework::engine
