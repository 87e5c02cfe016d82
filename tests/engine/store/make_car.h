// CARs made by hand for tests: headers with any number of roots, sections with any data, right or wrong.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/codec/cid.h"
#include "kernels/base/check.h"
#include "kernels/base/varint.h"
#include "kernels/sha256/sha256.h"

namespace piecework::testing {

inline engine::Cid raw_cid(std::string_view data) {
  return engine::sha256_cid(1, engine::kCodecRaw, kernels::sha256(as_bytes(data)));
}

inline std::string varint_text(uint64_t value) {
  std::string bytes(varint_bytes(value), '\0');
  encode_varint(reinterpret_cast<uint8_t*>(bytes.data()), value);
  return bytes;
}

// A CARv1 header, its length included. REQUIRES: fewer than 24 roots, of 24 to 254 bytes each.
inline std::string car_header(const std::vector<engine::Cid>& roots) {
  PIECEWORK_CHECK(roots.size() < 24);
  std::string header = "\xa2\x65roots";
  header.push_back(static_cast<char>(0x80 + roots.size()));
  for (const engine::Cid& root : roots) {
    header += "\xd8\x2a\x58";
    header.push_back(static_cast<char>(root.bytes().size() + 1));
    header.push_back('\0');
    header += as_text(root.bytes());
  }
  header += "\x67version\x01";
  return varint_text(header.size()) + header;
}

// A section up to its data.
inline std::string car_section_head(const engine::Cid& cid, uint64_t data_bytes) {
  return varint_text(cid.bytes().size() + data_bytes).append(as_text(cid.bytes()));
}

inline std::string car_section(const engine::Cid& cid, std::string_view data) {
  return car_section_head(cid, data.size()).append(data);
}

}  // namespace piecework::testing
