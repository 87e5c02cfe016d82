// The headers of CARs, which are dag-cbor; see dag_cbor.h.
//
//   a2 65 "roots" 81 d82a 58 <len> 00 <cid> 67 "version" 01        canonical: keys by length
#include <algorithm>
#include <array>
#include <string_view>

#include "engine/codec/cbor_reader.h"
#include "engine/codec/dag_cbor.h"
#include "kernels/base/check.h"
#include "kernels/base/varint.h"

namespace piecework::engine {
namespace {

constexpr std::array<uint8_t, 10> kBeforeRoot = {0xa2, 0x65, 'r', 'o', 'o', 't', 's', 0x81, 0xd8, 0x2a};
constexpr std::array<uint8_t, 9> kAfterRoot = {0x67, 'v', 'e', 'r', 's', 'i', 'o', 'n', 0x01};
constexpr std::array<uint8_t, 10> kV2Pragma = {0xa1, 0x67, 'v', 'e', 'r', 's', 'i', 'o', 'n', 0x02};

constexpr size_t byte_string_head_bytes(size_t content_bytes) { return content_bytes < 24 ? 1 : 2; }

size_t header_body_bytes(size_t cid_bytes) {
  PIECEWORK_CHECK(cid_bytes < 255);  // a byte string's head of one or two bytes
  return kBeforeRoot.size() + byte_string_head_bytes(cid_bytes + 1) + 1 + cid_bytes + kAfterRoot.size();
}

}  // namespace

size_t car_v1_header_bytes(size_t cid_bytes) {
  const size_t body_bytes = header_body_bytes(cid_bytes);
  return varint_bytes(body_bytes) + body_bytes;
}

uint8_t* encode_car_v1_header(uint8_t* target, ByteSpan root_cid) {
  target = encode_varint(target, header_body_bytes(root_cid.size()));
  target = std::copy(kBeforeRoot.begin(), kBeforeRoot.end(), target);
  const size_t content_bytes = root_cid.size() + 1;  // 00 is the identity multibase prefix
  if (byte_string_head_bytes(content_bytes) == 1) {
    *target++ = static_cast<uint8_t>(0x40 | content_bytes);
  } else {
    *target++ = 0x58;
    *target++ = static_cast<uint8_t>(content_bytes);
  }
  *target++ = 0x00;
  target = std::copy(root_cid.begin(), root_cid.end(), target);
  return std::copy(kAfterRoot.begin(), kAfterRoot.end(), target);
}

bool is_car_v2_pragma(ByteSpan header) { return std::ranges::equal(header, kV2Pragma); }

Result<CarHeader> decode_car_v1_header(ByteSpan header) {
  CborReader reader(header);
  PIECEWORK_ASSIGN(const CborHead map, reader.read_head());
  if (map.major != CborMajor::kMap || map.argument != 2) {
    return reader.corrupt("a CAR header is a map of 2 entries, roots and version");
  }
  PIECEWORK_ASSIGN(const std::string_view roots_key, reader.read_text());
  if (roots_key != "roots") return reader.corrupt("first key of a CAR header is not \"roots\"");
  PIECEWORK_ASSIGN(const CborHead list, reader.read_head());
  if (list.major != CborMajor::kArray) return reader.corrupt("the roots are not a list");
  CarHeader decoded;
  for (uint64_t i = 0; i < list.argument; ++i) {  // grows with what is there: a declared length costs nothing
    PIECEWORK_ASSIGN(const CidView root, reader.read_link());
    decoded.roots.push_back(root);
  }
  PIECEWORK_ASSIGN(const std::string_view version_key, reader.read_text());
  if (version_key != "version") return reader.corrupt("second key of a CAR header is not \"version\"");
  PIECEWORK_ASSIGN(const CborHead version, reader.read_head());
  if (version.major != CborMajor::kUnsigned || version.argument != 1) return reader.corrupt("the version is not 1");
  if (!reader.at_end()) return reader.corrupt("bytes after the header's map");
  return decoded;
}

}  // namespace piecework::engine
