// See proof_node.h.
#include "engine/proof/proof_node.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/codec/proto_wire.h"
#include "engine/restore/verify_names.h"

namespace piecework::engine {
namespace {

constexpr unsigned kHashBits = 64;

void read_children(const PbNode& node, const UnixfsData& message, ProofNode& target) {
  std::optional<UnixfsBlockSizes> block_sizes;
  if (target.kind == ProofNodeKind::kFile) block_sizes.emplace(message);
  target.children.reserve(node.link_count);
  for (const PbLink& link : node.links()) {
    target.children.push_back({link.cid, link.name, block_sizes ? block_sizes->next() : 0});
  }
}

// Entries of one name in two buckets of a shard, of which a look-up by hash sees one.
std::optional<std::string_view> repeated_entry(const ProofNode& shard) {
  std::vector<std::string_view> names;
  for (const ProofChild& child : shard.children) {
    const std::string_view name = child.name.substr(shard.shape.prefix_bytes);
    if (!name.empty()) names.push_back(name);  // else a further shard
  }
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  return twice == names.end() ? std::nullopt : std::optional(*twice);
}

tl::unexpected<Error> corrupt(std::string message) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource, std::move(message));
}

// What proofs leave out of UnixFS, so that a checker of few lines reads a message as this one does.
Status check_fields(const UnixfsData& message) {
  ProtoReader reader(message.message);
  for (ProtoField field; reader.next(field);) {
    const bool is_fixed = field.type == WireType::kFixed32 || field.type == WireType::kFixed64;
    if (is_fixed) return corrupt(fmt::format("UnixFS: field {} of fixed width", field.number));
  }
  const bool may_have_parts = message.type == UnixfsType::kRaw || message.type == UnixfsType::kFile;
  if (may_have_parts || message.type == UnixfsType::kMetadata || message.block_size_count == 0) return {};
  return corrupt("UnixFS: blocksizes of a directory or symlink");
}

Result<ProofNode> read_dag_pb(ByteSpan block) {
  const ProofNode other{.content_bytes = block.size(), .total_bytes = block.size()};
  PIECEWORK_ASSIGN(const PbNode node, decode_pb_node(block));
  if (!node.data) return other;
  PIECEWORK_ASSIGN(const UnixfsData message, decode_unixfs(*node.data));
  PIECEWORK_TRY(check_unixfs_node(node, message));
  PIECEWORK_TRY(check_fields(message));
  if (message.type == UnixfsType::kDirectory) {
    if (const auto name = repeated_name(node.links())) {
      return corrupt(fmt::format("a directory has '{}' twice", printable(*name)));
    }
  }
  ProofNode found;
  switch (message.type) {
    case UnixfsType::kMetadata:
      return other;
    case UnixfsType::kRaw:
    case UnixfsType::kFile:
      found.kind = ProofNodeKind::kFile;
      break;
    case UnixfsType::kDirectory:
      found.kind = ProofNodeKind::kDirectory;
      break;
    case UnixfsType::kSymlink:
      found.kind = ProofNodeKind::kSymlink;
      break;
    case UnixfsType::kHamtShard:
      found.kind = ProofNodeKind::kHamtShard;
      break;
  }
  const bool has_content = found.kind == ProofNodeKind::kFile || found.kind == ProofNodeKind::kSymlink;
  if (has_content && message.content_bytes() > 0) {
    found.content_offset_bytes = static_cast<uint64_t>(message.data->data() - block.data());
    found.content_bytes = message.content_bytes();
  }
  if (found.kind == ProofNodeKind::kFile) found.total_bytes = found.content_bytes + message.block_size_sum;
  if (found.kind == ProofNodeKind::kHamtShard) {
    PIECEWORK_ASSIGN(found.shape, check_hamt_shard(node, message));
  }
  read_children(node, message, found);
  if (found.kind == ProofNodeKind::kHamtShard) {
    if (const auto name = repeated_entry(found)) {
      return corrupt(fmt::format("a shard of a directory has '{}' twice", printable(*name)));
    }
  }
  return found;
}

}  // namespace

ProofNode raw_proof_node(uint64_t block_bytes) {
  return {.kind = ProofNodeKind::kFile, .content_bytes = block_bytes, .total_bytes = block_bytes};
}

Result<ProofNode> read_proof_node(const CidView& cid, ByteSpan block) {
  if (cid.codec == kCodecRaw) return raw_proof_node(block.size());
  if (cid.codec == kCodecDagPb) return read_dag_pb(block);
  return ProofNode{.content_bytes = block.size(), .total_bytes = block.size()};
}

Result<std::optional<ProofEntry>> find_entry(const ProofNode& directory, std::string_view name, unsigned level) {
  const bool is_shard = directory.kind == ProofNodeKind::kHamtShard;
  if (is_shard && (level + 1) * directory.shape.bits_per_level > kHashBits) {
    return corrupt(fmt::format("a shard at level {}", level));
  }
  const unsigned bucket = is_shard ? hamt_bucket_of_name(name, level, directory.shape) : 0;
  for (size_t link = 0; link < directory.children.size(); ++link) {
    const ProofChild& child = directory.children[link];
    if (!is_shard && child.name == name) return std::optional(ProofEntry{child.cid, link, false});
    if (!is_shard || hamt_bucket_of_prefix(child.name, directory.shape) != bucket) continue;
    const std::string_view rest = child.name.substr(directory.shape.prefix_bytes);
    if (rest.empty()) return std::optional(ProofEntry{child.cid, link, true});
    if (rest == name) return std::optional(ProofEntry{child.cid, link, false});
  }
  return std::optional<ProofEntry>();
}

}  // namespace piecework::engine
