// Writes CBOR items in dag-cbor's strict form (shortest heads, definite lengths); the counterpart of cbor_reader.h.
//
// The caller announces how many items an array or map has and writes exactly those, keys of maps in dag-cbor's order
// (by length, then by bytes).
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/codec/cbor_reader.h"
#include "kernels/base/bytes.h"

namespace piecework::engine {

// Thread-compatible.
class CborWriter {
 public:
  void array(uint64_t item_count) { head(CborMajor::kArray, item_count); }
  void map(uint64_t entry_count) { head(CborMajor::kMap, entry_count); }
  void unsigned_integer(uint64_t value) { head(CborMajor::kUnsigned, value); }
  void integer(int64_t value) {
    // A negative integer n is stored as -1 - n, which is ~n.
    value < 0 ? head(CborMajor::kNegative, static_cast<uint64_t>(~value))
              : unsigned_integer(static_cast<uint64_t>(value));
  }
  void boolean(bool value) { bytes_.push_back(value ? 0xf5 : 0xf4); }
  void null() { bytes_.push_back(0xf6); }
  void byte_string(ByteSpan content) {
    head(CborMajor::kBytes, content.size());
    raw(content);
  }
  // REQUIRES: `content` is UTF-8.
  void text(std::string_view content) {
    head(CborMajor::kText, content.size());
    raw(as_bytes(content));
  }
  // REQUIRES: `cid` is the bytes of a CID.
  void link(ByteSpan cid) {
    head(CborMajor::kTag, kCborTagLink);
    head(CborMajor::kBytes, 1 + cid.size());
    bytes_.push_back(0);
    raw(cid);
  }
  // Items that are CBOR already.
  void raw(ByteSpan items) { bytes_.insert(bytes_.end(), items.begin(), items.end()); }

  std::vector<uint8_t> take() { return std::move(bytes_); }

 private:
  void head(CborMajor major, uint64_t argument) {
    const auto first = static_cast<uint8_t>(static_cast<uint8_t>(major) << 5);
    if (argument < 24) {
      bytes_.push_back(static_cast<uint8_t>(first | argument));
      return;
    }
    const int size_class = argument <= 0xFF ? 0 : argument <= 0xFFFF ? 1 : argument <= 0xFFFFFFFF ? 2 : 3;
    bytes_.push_back(static_cast<uint8_t>(first | (24 + size_class)));
    for (int shift = (8 << size_class) - 8; shift >= 0; shift -= 8) {
      bytes_.push_back(static_cast<uint8_t>(argument >> shift));
    }
  }

  std::vector<uint8_t> bytes_;
};

}  // namespace piecework::engine
