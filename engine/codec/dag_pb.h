// dag-pb: the protobuf nodes of UnixFS. Source: ipld/ipld specs/codecs/dag-pb, formats.md 2.
//
//   PBNode   (12 <len> PBLink)*  [0a <len> Data]              links first, then Data
//   PBLink   0a <len> CID   12 <len> Name   18 <Tsize>        in this order
//
// Encoders write into memory that the caller sized with the length functions. Every real encoder writes Name even when
// it is empty ("12 00") and always writes Tsize; leaving either out would change every CID. Decoding is strict and
// allocates nothing: decode_pb_node checks the whole block once, PbLinks then walks it unchecked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/codec/cid.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"
#include "kernels/base/varint.h"

namespace piecework::engine {

// Bytes of one PBLink in its node, tag and length included.
constexpr size_t pb_link_bytes(size_t cid_bytes, size_t name_bytes, uint64_t tsize) {
  const size_t body_bytes =
      1 + varint_bytes(cid_bytes) + cid_bytes + 1 + varint_bytes(name_bytes) + name_bytes + 1 + varint_bytes(tsize);
  return 1 + varint_bytes(body_bytes) + body_bytes;
}

// Bytes of the Data field, tag and length included.
constexpr size_t pb_data_bytes(size_t data_bytes) { return 1 + varint_bytes(data_bytes) + data_bytes; }

// Writes pb_link_bytes(cid.size(), name_prefix.size() + name.size(), tsize) bytes and returns the first byte after
// them. The link's name is name_prefix + name: a HAMT puts two hexadecimal digits before the entry's name.
uint8_t* encode_pb_link(uint8_t* target, ByteSpan cid, std::string_view name_prefix, std::string_view name,
                        uint64_t tsize);

// Writes tag and length of the Data field; the caller writes `data_bytes` bytes behind them.
uint8_t* encode_pb_data_header(uint8_t* target, size_t data_bytes);

// One link where it stands; valid as long as the block.
struct PbLink {
  CidView cid;
  std::string_view name;  // "" also where the field is missing
  uint64_t tsize = 0;     // a hint, never to be trusted; 0 also where the field is missing
};

// The links of a checked node, in stored order: for (const PbLink& link : node.links()).
class PbLinks {
 public:
  class Iterator {
   public:
    explicit Iterator(ByteSpan rest) : rest_(rest) { read(); }
    const PbLink& operator*() const { return link_; }
    const PbLink* operator->() const { return &link_; }
    Iterator& operator++();
    bool operator==(const Iterator& other) const { return rest_.size() == other.rest_.size(); }

   private:
    void read();

    ByteSpan rest_;  // from this link on
    size_t link_bytes_ = 0;
    PbLink link_;
  };

  explicit PbLinks(ByteSpan bytes) : bytes_(bytes) {}
  Iterator begin() const { return Iterator(bytes_); }
  Iterator end() const { return Iterator(bytes_.last(0)); }

 private:
  ByteSpan bytes_;
};

// A checked node; points into the block it was decoded from.
struct PbNode {
  ByteSpan link_bytes;  // all PBLinks, tags included
  uint64_t link_count = 0;
  std::optional<ByteSpan> data;

  PbLinks links() const { return PbLinks(link_bytes); }
};

// Decodes and checks a whole block: accepts Data before or after the links; refuses unknown fields and wire types,
// fields of a link out of order or twice, a link without a CID, two Data fields, links on both sides of Data, lengths
// past the end, varints of more than 64 bits. A block of no bytes is a node without links and Data. Errors: kCorrupt,
// with offset.
Result<PbNode> decode_pb_node(ByteSpan block);

}  // namespace piecework::engine
