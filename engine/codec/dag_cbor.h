// dag-cbor: the headers of CARs, and the links inside foreign dag-cbor blocks. Source: ipld/ipld specs/codecs/dag-cbor
// and specs/transport/car/carv1, formats.md 7.
//
// Decoding is strict (minimal integers and lengths, definite lengths, map keys that are text, in order and none twice,
// tag 42 alone and with a CID behind its 00 byte, 64-bit floats, no trailing bytes), never recursive, and takes no
// memory for lengths that a block merely declares. Writing general dag-cbor is not done here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "engine/codec/cid.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

inline constexpr size_t kDagCborDepthMax = 1024;  // go-ipld-prime's default

// A CARv1 header with one root, its leading varint included: 59 bytes for a CIDv1 (sha2-256), 57 for a CIDv0.
size_t car_v1_header_bytes(size_t cid_bytes);
uint8_t* encode_car_v1_header(uint8_t* target, ByteSpan root_cid);

struct CarHeader {
  uint64_t version = 1;
  std::vector<CidView> roots;  // in stored order, duplicates included; point into the header
};

// Decodes the header of a CARv1 (without its varint): the map {roots, version: 1} and nothing else; an empty list of
// roots is accepted. Errors: kCorrupt, with the offset in the header.
Result<CarHeader> decode_car_v1_header(ByteSpan header);

// Whether `header` is the body of the CARv2 pragma, {version: 2}.
bool is_car_v2_pragma(ByteSpan header);

// Checks a whole dag-cbor block and calls `visit` for every link, in stored order. Stops with the first error, its own
// (kCorrupt, with offset) or that of `visit`.
Status visit_dag_cbor_links(ByteSpan block, const std::function<Status(const CidView&)>& visit);

}  // namespace piecework::engine
