// dag-pb: whatever is accepted is walked as often as it has links, and encoded again it is a node with the same links
// and data, which is then a fixed point.
#include <algorithm>
#include <vector>

#include "engine/codec/dag_pb.h"
#include "kernels/base/check.h"

namespace piecework::engine {
namespace {

std::vector<uint8_t> encode(const PbNode& node) {
  size_t total_bytes = node.data ? pb_data_bytes(node.data->size()) : 0;
  for (const PbLink& link : node.links()) {
    total_bytes += pb_link_bytes(link.cid.bytes.size(), link.name.size(), link.tsize);
  }
  std::vector<uint8_t> bytes(total_bytes);
  uint8_t* end = bytes.data();
  for (const PbLink& link : node.links()) end = encode_pb_link(end, link.cid.bytes, "", link.name, link.tsize);
  if (node.data) {
    end = encode_pb_data_header(end, node.data->size());
    end = std::copy(node.data->begin(), node.data->end(), end);
  }
  PIECEWORK_CHECK(end == bytes.data() + bytes.size());
  return bytes;
}

void check_node(ByteSpan block) {
  const Result<PbNode> node = decode_pb_node(block);
  if (!node) return;
  uint64_t link_count = 0;
  for (const PbLink& link : node->links()) {
    PIECEWORK_CHECK(!link.cid.bytes.empty());
    ++link_count;
  }
  PIECEWORK_CHECK(link_count == node->link_count);
  const std::vector<uint8_t> again = encode(*node);
  const Result<PbNode> decoded = decode_pb_node(again);
  PIECEWORK_CHECK(decoded.has_value());
  PIECEWORK_CHECK(decoded->link_count == node->link_count);
  PIECEWORK_CHECK(decoded->data.has_value() == node->data.has_value());
  PIECEWORK_CHECK(encode(*decoded) == again);
}

}  // namespace
}  // namespace piecework::engine

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t data_bytes) {
  piecework::engine::check_node({data, data_bytes});
  return 0;
}
