// Encoding and strict decoding of dag-pb nodes; see dag_pb.h.
#include "engine/codec/dag_pb.h"

#include <fmt/format.h>

#include <cstring>

#include "engine/codec/proto_wire.h"
#include "kernels/base/check.h"

namespace piecework::engine {
namespace {

constexpr uint64_t kNodeData = 1;
constexpr uint64_t kNodeLinks = 2;
constexpr uint64_t kLinkHash = 1;
constexpr uint64_t kLinkName = 2;
constexpr uint64_t kLinkTsize = 3;

constexpr uint8_t kTagNodeLink = 0x12;
constexpr uint8_t kTagNodeData = 0x0a;
constexpr uint8_t kTagLinkHash = 0x0a;
constexpr uint8_t kTagLinkName = 0x12;
constexpr uint8_t kTagLinkTsize = 0x18;

uint8_t* put_bytes(uint8_t* target, ByteSpan source) {
  if (!source.empty()) std::memcpy(target, source.data(), source.size());
  return target + source.size();
}

tl::unexpected<Error> corrupt(size_t offset_bytes, std::string_view what) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource, fmt::format("dag-pb at byte {}: {}", offset_bytes, what));
}

// The number of a field and its wire type must fit together; anything else is not of this message.
const char* misplaced_link_field(const ProtoField& field, uint64_t last_number) {
  const WireType expected = field.number == kLinkTsize ? WireType::kVarint : WireType::kBytes;
  if (field.number > kLinkTsize) return "unknown field in a link";
  if (field.type != expected) return "wrong wire type in a link";
  if (field.number == last_number) return "the same field twice in a link";
  if (field.number < last_number) return "fields of a link out of order";
  return nullptr;
}

// Reads one PBLink body; `offset_bytes` is where it stands in the block, for messages.
Result<PbLink> decode_link(ByteSpan body, size_t offset_bytes) {
  PbLink link;
  ProtoReader reader(body);
  ProtoField field;
  uint64_t last_number = 0;
  while (reader.next(field)) {
    if (const char* fault = misplaced_link_field(field, last_number)) {
      return corrupt(offset_bytes + reader.field_begin(), fault);
    }
    last_number = field.number;
    if (field.number == kLinkHash) {
      Result<CidView> cid = decode_cid(field.bytes);
      if (!cid) return corrupt(offset_bytes + reader.field_begin(), "a link's Hash is no CID: " + cid.error().message);
      link.cid = *cid;
    } else if (field.number == kLinkName) {
      link.name = as_text(field.bytes);
    } else {
      link.tsize = field.value;
    }
  }
  if (reader.fault() != nullptr) return corrupt(offset_bytes + reader.field_begin(), reader.fault());
  if (link.cid.bytes.empty()) return corrupt(offset_bytes, "a link without Hash");
  return link;
}

}  // namespace

uint8_t* encode_pb_link(uint8_t* target, ByteSpan cid, std::string_view name_prefix, std::string_view name,
                        uint64_t tsize) {
  const size_t name_bytes = name_prefix.size() + name.size();
  const size_t body_bytes =
      1 + varint_bytes(cid.size()) + cid.size() + 1 + varint_bytes(name_bytes) + name_bytes + 1 + varint_bytes(tsize);
  *target++ = kTagNodeLink;
  target = encode_varint(target, body_bytes);
  *target++ = kTagLinkHash;
  target = encode_varint(target, cid.size());
  target = put_bytes(target, cid);
  *target++ = kTagLinkName;
  target = encode_varint(target, name_bytes);
  target = put_bytes(target, as_bytes(name_prefix));
  target = put_bytes(target, as_bytes(name));
  *target++ = kTagLinkTsize;
  return encode_varint(target, tsize);
}

uint8_t* encode_pb_data_header(uint8_t* target, size_t data_bytes) {
  *target++ = kTagNodeData;
  return encode_varint(target, data_bytes);
}

PbLinks::Iterator& PbLinks::Iterator::operator++() {
  rest_ = rest_.subspan(link_bytes_);
  read();
  return *this;
}

void PbLinks::Iterator::read() {
  if (rest_.empty()) return;
  ProtoReader reader(rest_);
  ProtoField field;
  PIECEWORK_CHECK(reader.next(field) && field.number == kNodeLinks);
  Result<PbLink> link = decode_link(field.bytes, 0);
  PIECEWORK_CHECK(link.has_value());  // decode_pb_node saw the same bytes
  link_ = *link;
  link_bytes_ = reader.offset_bytes();
}

Result<PbNode> decode_pb_node(ByteSpan block) {
  PbNode node;
  ProtoReader reader(block);
  ProtoField field;
  size_t links_end = 0;
  while (reader.next(field)) {
    const size_t begin = reader.field_begin();
    if (field.number != kNodeData && field.number != kNodeLinks) return corrupt(begin, "unknown field");
    if (field.type != WireType::kBytes) return corrupt(begin, "wrong wire type");
    if (field.number == kNodeData) {
      if (node.data) return corrupt(begin, "two Data fields");
      node.data = field.bytes;
      continue;
    }
    if (node.link_count > 0 && begin != links_end) return corrupt(begin, "links on both sides of Data");
    PIECEWORK_TRY(decode_link(field.bytes, reader.offset_bytes() - field.bytes.size()));
    const size_t links_begin = node.link_count == 0 ? begin : links_end - node.link_bytes.size();
    links_end = reader.offset_bytes();
    node.link_bytes = block.subspan(links_begin, links_end - links_begin);
    ++node.link_count;
  }
  if (reader.fault() != nullptr) return corrupt(reader.field_begin(), reader.fault());
  return node;
}

}  // namespace piecework::engine
