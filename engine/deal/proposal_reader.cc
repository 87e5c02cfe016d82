// Single items of CBOR; the proposals themselves are read in deal_proposal.cc.
#include "engine/deal/proposal_reader.h"

namespace piecework::engine {
namespace {

constexpr uint8_t kSimpleFalse = 20;
constexpr uint8_t kSimpleTrue = 21;

}  // namespace

Result<ByteSpan> read_cbor_bytes(CborReader& reader) {
  PIECEWORK_ASSIGN(const CborHead head, reader.read_head());
  if (head.major != CborMajor::kBytes) return reader.corrupt("expected a byte string");
  return reader.read_content(head);
}

Result<uint64_t> read_cbor_unsigned(CborReader& reader) {
  PIECEWORK_ASSIGN(const CborHead head, reader.read_head());
  if (head.major != CborMajor::kUnsigned) return reader.corrupt("expected an integer that is not negative");
  return head.argument;
}

Result<int64_t> read_cbor_integer(CborReader& reader) {
  PIECEWORK_ASSIGN(const CborHead head, reader.read_head());
  const bool is_negative = head.major == CborMajor::kNegative;
  if (!is_negative && head.major != CborMajor::kUnsigned) return reader.corrupt("expected an integer");
  if (head.argument > static_cast<uint64_t>(INT64_MAX)) return reader.corrupt("an integer of more than 63 bits");
  const auto value = static_cast<int64_t>(head.argument);
  return is_negative ? -1 - value : value;
}

Result<bool> read_cbor_boolean(CborReader& reader) {
  PIECEWORK_ASSIGN(const CborHead head, reader.read_head());
  if (head.major != CborMajor::kSimple || (head.info != kSimpleFalse && head.info != kSimpleTrue)) {
    return reader.corrupt("expected true or false");
  }
  return head.info == kSimpleTrue;
}

Status skip_cbor_item(CborReader& reader) {
  // Of nested containers only the sum of the items that are still to come matters, so no stack is needed. A declared
  // length that the bytes do not hold ends at their end.
  uint64_t items_left = 1;
  while (items_left > 0) {
    --items_left;
    PIECEWORK_ASSIGN(const CborHead head, reader.read_head());
    uint64_t inner_count = 0;
    switch (head.major) {
      case CborMajor::kBytes:
      case CborMajor::kText:
        PIECEWORK_TRY(reader.read_content(head));
        break;
      case CborMajor::kArray:
        inner_count = head.argument;
        break;
      case CborMajor::kMap:
        if (__builtin_mul_overflow(head.argument, uint64_t{2}, &inner_count))
          return reader.corrupt("a map without end");
        break;
      case CborMajor::kTag:
        inner_count = 1;
        break;
      case CborMajor::kUnsigned:
      case CborMajor::kNegative:
      case CborMajor::kSimple:
        break;
    }
    if (__builtin_add_overflow(items_left, inner_count, &items_left)) return reader.corrupt("containers without end");
  }
  return {};
}

}  // namespace piecework::engine
