// Heads of CBOR items in dag-cbor's strict form, and the links: what car_header.cc and dag_cbor.cc share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/codec/cid.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

enum class CborMajor : uint8_t {
  kUnsigned = 0,
  kNegative = 1,
  kBytes = 2,
  kText = 3,
  kArray = 4,
  kMap = 5,
  kTag = 6,
  kSimple = 7,
};

// Major type and argument of an item: the integer, the length, the count, the tag; false, true, null and floats have
// their additional information in `info`.
struct CborHead {
  CborMajor major = CborMajor::kUnsigned;
  uint8_t info = 0;
  uint64_t argument = 0;
};

inline constexpr uint64_t kCborTagLink = 42;
inline constexpr uint8_t kCborFloat64 = 27;

// Thread-compatible; points into the bytes it reads. Errors of all functions: kCorrupt with the offset.
class CborReader {
 public:
  explicit CborReader(ByteSpan bytes) : bytes_(bytes) {}

  // Reads a head. Refuses non-minimal arguments, indefinite lengths, reserved values, simple values other than false,
  // true and null, floats of other than 64 bits or not finite.
  Result<CborHead> read_head();
  // Reads the content of a byte or text string whose head was just read; text must be UTF-8.
  Result<ByteSpan> read_content(const CborHead& head);
  // Reads a text string.
  Result<std::string_view> read_text();
  // Reads tag 42 and its CID.
  Result<CidView> read_link();
  // Reads the CID of a tag whose head was just read.
  Result<CidView> read_link_content(const CborHead& tag);

  bool at_end() const { return offset_bytes_ == bytes_.size(); }
  tl::unexpected<Error> corrupt(std::string_view what) const;

 private:
  ByteSpan bytes_;
  size_t offset_bytes_ = 0;
};

}  // namespace piecework::engine
