#include "engine/plan/file_cid.h"

#include <algorithm>
#include <vector>

#include "engine/codec/dag_pb.h"
#include "engine/codec/unixfs.h"
#include "engine/layout/file_shape.h"
#include "engine/plan/file_pass.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

// Digests of the leaves that `content`, whole chunks but for the file's last one, comes to.
void append_leaf_digests(ByteSpan content, const Profile& profile, std::vector<Digest32>& digests) {
  const size_t first = digests.size();
  const size_t count = std::max<size_t>(1, div_ceil(content.size(), profile.chunk_bytes));
  digests.resize(first + count);
  std::vector<kernels::HashJob> jobs;
  std::vector<std::vector<uint8_t>> blocks(profile.raw_leaves ? 0 : count);
  for (size_t i = 0; i < count; ++i) {
    const size_t begin = i * profile.chunk_bytes;
    const ByteSpan chunk = content.subspan(begin, std::min<uint64_t>(profile.chunk_bytes, content.size() - begin));
    ByteSpan block = chunk;
    if (!profile.raw_leaves) {
      const uint64_t leaf_bytes = unixfs_leaf_bytes(chunk.size());
      blocks[i].resize(pb_data_bytes(leaf_bytes));
      uint8_t* at = encode_pb_data_header(blocks[i].data(), leaf_bytes);
      at = encode_unixfs_leaf_prefix(at, chunk.size());
      encode_unixfs_leaf_suffix(std::copy(chunk.begin(), chunk.end(), at), chunk.size());
      block = blocks[i];
    }
    jobs.push_back({block.data(), block.size(), digests[first + i].data()});
  }
  kernels::hash_many(jobs);
}

// The digest of the node `index` of `level`, a level above the leaves, from those of the level below.
Digest32 node_digest(const FileShape& shape, size_t level, uint64_t index, const Profile& profile,
                     const std::vector<Digest32>& below) {
  const FileNode& node = shape.node(level, index);
  const uint64_t begin = index * profile.max_links;
  const uint64_t end = std::min<uint64_t>(begin + profile.max_links, below.size());
  const bool raw_children = level == 1 && profile.raw_leaves;
  const int cid_version = raw_children ? 1 : profile.cid_version;
  std::vector<uint8_t> block(node.block_bytes);
  uint8_t* at = block.data();
  uint64_t data_bytes = unixfs_file_head_bytes(node.file_bytes);
  for (uint64_t i = begin; i < end; ++i) {
    const FileNode& child = shape.node(level - 1, i);
    uint8_t cid[kCidV1Sha256Bytes];
    encode_sha256_cid(cid, cid_version, raw_children ? kCodecRaw : kCodecDagPb, below[i]);
    at = encode_pb_link(at, {cid, sha256_cid_bytes(cid_version)}, {}, {}, child.tsize);
    data_bytes += unixfs_block_size_bytes(child.file_bytes);
  }
  at = encode_pb_data_header(at, data_bytes);
  at = encode_unixfs_file_head(at, node.file_bytes);
  for (uint64_t i = begin; i < end; ++i) {
    at = encode_unixfs_block_size(at, shape.node(level - 1, i).file_bytes);
  }
  PIECEWORK_CHECK(at == block.data() + block.size());  // the shape's promise
  return kernels::sha256(block);
}

}  // namespace

Result<Cid> file_cid(const io::File& file, uint64_t file_bytes, const Profile& profile,
                     std::atomic<uint64_t>* read_bytes) {
  const FileShape shape(file_bytes, profile);
  std::vector<Digest32> digests;
  digests.reserve(shape.node_count(0));
  if (file_bytes == 0) append_leaf_digests({}, profile, digests);
  PIECEWORK_TRY(for_each_part(file, file_bytes, profile.chunk_bytes, read_bytes,
                              [&](ByteSpan part) { append_leaf_digests(part, profile, digests); }));
  if (shape.single_leaf() && profile.raw_leaves) return sha256_cid(1, kCodecRaw, digests.front());
  for (size_t level = 1; level < shape.level_count(); ++level) {
    std::vector<Digest32> above(shape.node_count(level));
    for (uint64_t i = 0; i < above.size(); ++i) above[i] = node_digest(shape, level, i, profile, digests);
    digests.swap(above);
  }
  return sha256_cid(profile.cid_version, kCodecDagPb, digests.front());
}

bool same_file_cids(const Profile& a, const Profile& b) {
  return a.chunk_bytes == b.chunk_bytes && a.max_links == b.max_links && a.raw_leaves == b.raw_leaves &&
         a.cid_version == b.cid_version;
}

}  // namespace piecework::engine
