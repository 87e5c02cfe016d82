// UnixFS: a Data message by itself, and a whole block with the rules between node and message.
#include <algorithm>
#include <vector>

#include "engine/codec/dag_pb.h"
#include "engine/codec/unixfs.h"
#include "kernels/base/check.h"

namespace piecework::engine {
namespace {

void check_block_sizes(const UnixfsData& data) {
  UnixfsBlockSizes sizes(data);
  uint64_t sum = 0;
  for (uint64_t i = 0; i < data.block_size_count; ++i) sum += sizes.next();
  PIECEWORK_CHECK(sum == data.block_size_sum);
}

// A leaf in the form that importers write must come out of its parts byte for byte.
void check_leaf(ByteSpan message, const UnixfsData& data) {
  if (data.type != UnixfsType::kFile || data.block_size_count > 0) return;
  const uint64_t count = data.content_bytes();
  if (message.size() != unixfs_leaf_bytes(count) || message[0] != 0x08 || data.file_bytes != count) return;
  std::vector<uint8_t> again(message.size());
  uint8_t* end = encode_unixfs_leaf_prefix(again.data(), count);
  if (data.data) end = std::copy(data.data->begin(), data.data->end(), end);
  end = encode_unixfs_leaf_suffix(end, count);
  PIECEWORK_CHECK(end == again.data() + again.size());
  const Result<UnixfsData> decoded = decode_unixfs(again);
  PIECEWORK_CHECK(decoded.has_value() && decoded->content_bytes() == count && decoded->file_bytes == count);
}

void check_shard(const PbNode& node, const UnixfsData& data) {
  const Result<HamtShape> shape = check_hamt_shard(node, data);
  PIECEWORK_CHECK(shape.has_value());
  for (const PbLink& link : node.links()) {
    PIECEWORK_CHECK(hamt_bucket_of_prefix(link.name, *shape).value() < shape->fanout);
    PIECEWORK_CHECK(hamt_bucket_of_name(link.name, 64 / shape->bits_per_level - 1, *shape) < shape->fanout);
  }
}

void check_message(ByteSpan message) {
  const Result<UnixfsData> data = decode_unixfs(message);
  if (!data) return;
  check_block_sizes(*data);
  check_leaf(message, *data);
}

void check_block(ByteSpan block) {
  const Result<PbNode> node = decode_pb_node(block);
  if (!node || !node->data) return;
  const Result<UnixfsData> data = decode_unixfs(*node->data);
  if (!data) return;
  check_block_sizes(*data);
  if (check_unixfs_node(*node, *data) && data->type == UnixfsType::kHamtShard) check_shard(*node, *data);
}

}  // namespace
}  // namespace piecework::engine

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t data_bytes) {
  piecework::engine::check_message({data, data_bytes});
  piecework::engine::check_block({data, data_bytes});
  return 0;
}
