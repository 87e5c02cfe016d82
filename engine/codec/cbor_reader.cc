// Strict heads of CBOR items; see cbor_reader.h.
#include "engine/codec/cbor_reader.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>

#include "kernels/base/text.h"

namespace piecework::engine {
namespace {

constexpr uint8_t kSimpleFalse = 20;
constexpr uint8_t kSimpleNull = 22;
constexpr uint8_t kInfoOneByte = 24;
constexpr uint8_t kInfoEightBytes = 27;
constexpr uint8_t kInfoIndefinite = 31;

// Smallest argument that needs 1, 2, 4, 8 bytes.
constexpr uint64_t kSmallestArgument[] = {24, uint64_t{1} << 8, uint64_t{1} << 16, uint64_t{1} << 32};

}  // namespace

tl::unexpected<Error> CborReader::corrupt(std::string_view what) const {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource, fmt::format("dag-cbor at byte {}: {}", offset_bytes_, what));
}

Result<CborHead> CborReader::read_head() {
  if (at_end()) return corrupt("ends where an item is expected");
  const uint8_t first = bytes_[offset_bytes_];
  CborHead head{static_cast<CborMajor>(first >> 5), static_cast<uint8_t>(first & 31), 0};
  if (head.info == kInfoIndefinite) return corrupt("indefinite length or break");
  if (head.info > kInfoEightBytes) return corrupt("reserved additional information");
  if (head.major == CborMajor::kSimple && head.info != kInfoEightBytes &&
      (head.info < kSimpleFalse || head.info > kSimpleNull)) {
    return corrupt("a simple value other than false, true, null, or a float of other than 64 bits");
  }
  ++offset_bytes_;
  head.argument = head.info;
  if (head.info < kInfoOneByte) return head;
  const unsigned size_class = head.info - kInfoOneByte;
  const size_t argument_bytes = size_t{1} << size_class;
  if (bytes_.size() - offset_bytes_ < argument_bytes) return corrupt("ends inside the head of an item");
  head.argument = 0;
  for (size_t i = 0; i < argument_bytes; ++i) head.argument = head.argument << 8 | bytes_[offset_bytes_ + i];
  offset_bytes_ += argument_bytes;
  if (head.major == CborMajor::kSimple) {
    if (!std::isfinite(std::bit_cast<double>(head.argument))) return corrupt("a float that is not finite");
  } else if (head.argument < kSmallestArgument[size_class]) {
    return corrupt("an integer or length not in its shortest form");
  }
  return head;
}

Result<ByteSpan> CborReader::read_content(const CborHead& head) {
  if (head.argument > bytes_.size() - offset_bytes_) {
    return corrupt(fmt::format("a string of {} bytes, {} are left", head.argument, bytes_.size() - offset_bytes_));
  }
  const ByteSpan content = bytes_.subspan(offset_bytes_, static_cast<size_t>(head.argument));
  if (head.major == CborMajor::kText && !is_utf8(as_text(content))) return corrupt("text that is not UTF-8");
  offset_bytes_ += content.size();
  return content;
}

Result<std::string_view> CborReader::read_text() {
  PIECEWORK_ASSIGN(const CborHead head, read_head());
  if (head.major != CborMajor::kText) return corrupt("a map key that is not text");
  PIECEWORK_ASSIGN(const ByteSpan content, read_content(head));
  return as_text(content);
}

Result<CidView> CborReader::read_link() {
  PIECEWORK_ASSIGN(const CborHead tag, read_head());
  return read_link_content(tag);
}

Result<CidView> CborReader::read_link_content(const CborHead& tag) {
  if (tag.major != CborMajor::kTag || tag.argument != kCborTagLink) return corrupt("not a link (tag 42)");
  PIECEWORK_ASSIGN(const CborHead head, read_head());
  if (head.major != CborMajor::kBytes) return corrupt("a link's content is no byte string");
  PIECEWORK_ASSIGN(const ByteSpan content, read_content(head));
  if (content.empty() || content[0] != 0) return corrupt("a link's content does not begin with 00");
  Result<CidView> cid = decode_cid(content.subspan(1));
  if (!cid) return corrupt("a link: " + cid.error().message);
  return *cid;
}

}  // namespace piecework::engine
