// The protobuf wire format as dag-pb and UnixFS need it: tags, varints of up to 64 bits, length-delimited fields.
// Unlike multiformats' varints (kernels/base/varint.h), protobuf's need not be minimal and may take ten bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/base/bytes.h"
#include "kernels/base/endian.h"

namespace piecework::engine {

inline constexpr size_t kProtoVarintBytesMax = 10;

enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// One field where it stands. `value` is that of kVarint, kFixed32 and kFixed64; `bytes` is that of kBytes.
struct ProtoField {
  uint64_t number = 0;
  WireType type = WireType::kVarint;
  uint64_t value = 0;
  ByteSpan bytes;
};

// Reads fields one after the other. next() is false at the end and at the first fault; fault() tells them apart.
// Thread-compatible; points into the message.
class ProtoReader {
 public:
  explicit ProtoReader(ByteSpan message) : message_(message) {}

  bool next(ProtoField& field) {
    field_begin_ = offset_bytes_;
    if (offset_bytes_ == message_.size()) return false;
    uint64_t tag = 0;
    if (!read_varint(tag)) return fail("bad varint of a tag");
    field.number = tag >> 3;
    if (field.number == 0) return fail("field number 0");
    field.type = static_cast<WireType>(tag & 7);
    switch (field.type) {
      case WireType::kVarint:
        return read_varint(field.value) || fail("bad varint");
      case WireType::kBytes:
        return read_bytes(field.bytes) || fail("length past the end");
      case WireType::kFixed32:
        return read_fixed<uint32_t>(field.value) || fail("fixed32 past the end");
      case WireType::kFixed64:
        return read_fixed<uint64_t>(field.value) || fail("fixed64 past the end");
    }
    return fail("unknown wire type");
  }

  bool read_varint(uint64_t& value) {
    value = 0;
    for (size_t i = 0; i < kProtoVarintBytesMax && offset_bytes_ < message_.size(); ++i) {
      const uint8_t byte = message_[offset_bytes_++];
      if (i + 1 == kProtoVarintBytesMax && byte > 1) return false;  // bit 64 and above
      value |= static_cast<uint64_t>(byte & 0x7F) << (7 * i);
      if ((byte & 0x80) == 0) return true;
    }
    return false;
  }

  // nullptr while nothing is wrong.
  const char* fault() const { return fault_; }
  bool at_end() const { return offset_bytes_ == message_.size(); }
  size_t offset_bytes() const { return offset_bytes_; }
  size_t field_begin() const { return field_begin_; }  // offset of the tag of the field read last

 private:
  bool fail(const char* what) {
    fault_ = what;
    return false;
  }

  bool read_bytes(ByteSpan& bytes) {
    uint64_t length_bytes = 0;
    if (!read_varint(length_bytes) || length_bytes > message_.size() - offset_bytes_) return false;
    bytes = message_.subspan(offset_bytes_, static_cast<size_t>(length_bytes));
    offset_bytes_ += bytes.size();
    return true;
  }

  template <class Integer>
  bool read_fixed(uint64_t& value) {
    if (message_.size() - offset_bytes_ < sizeof(Integer)) return false;
    value = load_le<Integer>(message_.data() + offset_bytes_);
    offset_bytes_ += sizeof(Integer);
    return true;
  }

  ByteSpan message_;
  size_t offset_bytes_ = 0;
  size_t field_begin_ = 0;
  const char* fault_ = nullptr;
};

}  // namespace piecework::engine
