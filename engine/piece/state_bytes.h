// Fields of a checkpoint's state as bytes, little-endian, one after the other: what the serial stages write of
// themselves and read back. The layout is described in engine/FORMATS.md.
//
// A reader is fed with bytes that passed a checksum and nothing else: every length is checked before memory is taken,
// and after the first thing that is not there everything reads as zero and ok() is false.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/bytes.h"
#include "kernels/base/endian.h"

namespace piecework::engine {

// Appends to `target`, which outlives the writer. Thread-compatible.
class StateWriter {
 public:
  explicit StateWriter(std::vector<uint8_t>& target) : target_(target) {}

  template <class Integer>
  void integer(Integer value) {
    uint8_t bytes[sizeof value];
    store_le(bytes, value);
    raw({bytes, sizeof bytes});
  }
  void flag(bool value) { integer<uint8_t>(value ? 1 : 0); }
  // The length and the bytes.
  void bytes(ByteSpan value) {
    integer<uint32_t>(static_cast<uint32_t>(value.size()));
    raw(value);
  }
  void text(std::string_view value) { bytes(as_bytes(value)); }
  // Bytes of a length that the reader knows.
  void raw(ByteSpan value) { target_.insert(target_.end(), value.begin(), value.end()); }

 private:
  std::vector<uint8_t>& target_;
};

// Thread-compatible; the bytes outlive the reader and what it returns.
class StateReader {
 public:
  explicit StateReader(ByteSpan source) : rest_(source) {}

  template <class Integer>
  Integer integer() {
    const ByteSpan bytes = raw(sizeof(Integer));
    return bytes.empty() ? Integer{} : load_le<Integer>(bytes.data());
  }
  bool flag() {
    const uint8_t value = integer<uint8_t>();
    require(value <= 1);
    return value == 1;
  }
  ByteSpan bytes() { return raw(integer<uint32_t>()); }
  std::string_view text() { return as_text(bytes()); }
  // Empty where there are not so many.
  ByteSpan raw(size_t count) {
    require(count <= rest_.size());
    if (!ok_) return {};
    const ByteSpan bytes = rest_.first(count);
    rest_ = rest_.subspan(count);
    return bytes;
  }
  // The number of entries that follow, each of at least `entry_bytes_min` bytes: never more than there can be.
  size_t count(size_t entry_bytes_min) {
    const uint32_t entry_count = integer<uint32_t>();
    require(entry_count <= rest_.size() / entry_bytes_min);
    return ok_ ? entry_count : 0;
  }

  // What makes no sense is like what is not there.
  void require(bool condition) { ok_ = ok_ && condition; }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return ok_ && rest_.empty(); }

 private:
  ByteSpan rest_;
  bool ok_ = true;
};

}  // namespace piecework::engine
