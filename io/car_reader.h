// Framing of CARs: the header's bytes and the length-prefixed sections, from a descriptor or memory, once from front to
// back. Source: ipld/ipld specs/transport/car/carv1 and carv2, formats.md 7. What a header or section means is
// engine/codec's.
//
//   CARv1   varint(length) header   (varint(length) section)*
//   CARv2   0a a1 67 "version" 02   characteristics[16] data_offset data_size index_offset (u64le)   ... CARv1 ...
//   index
//
// Nothing is believed: lengths are checked before memory is taken, an index is never looked at (GHSA-9x4h-8wgm-8xfg).
// Memory is one buffer: `batch_bytes`, or the largest header or section met if that is longer. Errors: kCorrupt, naming
// the offset, what was expected and what was found, or that of read(2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/bytes.h"
#include "kernels/base/error.h"
#include "kernels/base/units.h"
#include "kernels/base/varint.h"

namespace piecework::io {

inline constexpr uint64_t kCarHeaderBytesMax = 32 * kMiB;  // go-car v2's limit
inline constexpr uint64_t kCarBlockBytesMax = 32 * kMiB;   // accepted; the engine checks it without the CID
inline constexpr uint64_t kCarCidBytesMax = 1024;          // room for a CID in the limit of a section
inline constexpr uint64_t kCarSectionBytesMax = kCarBlockBytesMax + kCarCidBytesMax;
inline constexpr uint64_t kCarUsualSectionBytesMax = 8 * kMiB;  // other tools refuse longer ones
inline constexpr uint64_t kCarV2HeaderBytes = 40;
inline constexpr uint64_t kCarV2DataOffsetMin = 51;  // pragma and header
inline constexpr uint64_t kCarV2DataOffsetMax = kCarHeaderBytesMax;

struct CarReadOptions {
  ErrorSide side = ErrorSide::kSource;
  // Accepts zero bytes after the last section to the end (a CAR that was padded to a piece); by default they are an
  // error.
  bool zero_tail = false;
  size_t batch_bytes = 8 * kMiB;
};

// A section where it stands in the reader's buffer.
struct CarSection {
  uint64_t offset_bytes = 0;  // of its length varint, in the file
  ByteSpan bytes;             // CID and data
};

// What one call brought; valid until the next call.
struct CarBatch {
  std::span<const CarSection> sections;  // may be empty
  ByteSpan fresh_bytes;  // of the file as stored, each byte exactly once over all batches, headers and index too
  bool at_end = false;   // nothing follows
};

// What is wrong with the varint of a length, for messages; "" for kOk.
std::string_view varint_fault(VarintStatus status);

// Returns the bytes read into `target`, 0 only at the end.
using ReadFunction = std::function<Result<size_t>(MutableByteSpan target)>;

// Reads `descriptor` (which stays the caller's) from where it stands; pipes too. `name` is for messages.
ReadFunction read_descriptor(int descriptor, std::string name, ErrorSide side);
// REQUIRES: `bytes` outlive the function.
ReadFunction read_memory(ByteSpan bytes);

// Thread-compatible.
class CarReader {
 public:
  // Reads the header or headers. `name` is for messages.
  static Result<CarReader> open(ReadFunction read, std::string name, const CarReadOptions& options);

  // The CARv1 header without its length, to be decoded by the engine.
  ByteSpan header() const { return header_; }
  uint64_t header_offset_bytes() const { return header_offset_bytes_; }  // of its length varint, in the file
  bool is_v2() const { return is_v2_; }
  // Where the sections end in the file: by a CARv2's own word, which is checked by reading so far; UINT64_MAX for a
  // CARv1, whose sections end with the file.
  uint64_t payload_end_bytes() const { return payload_end_bytes_; }

  // The sections that now fit the buffer, in order. A fault in the framing is returned by the call after the one that
  // brought the last good section. REQUIRES: no call after at_end or an error.
  Result<CarBatch> next_batch();

 private:
  CarReader(ReadFunction read, std::string name, const CarReadOptions& options);

  enum class Step : uint8_t { kProgress, kNeedMore, kEnd };

  Status read_headers();
  Status read_v2_header();
  Result<uint64_t> read_length(uint64_t length_max, const char* what);
  Status ensure(uint64_t byte_count, const char* what);
  Status fill(size_t capacity_bytes);
  void drop_consumed();
  Result<Step> parse_section();
  Result<Step> parse_tail();
  Status parse_available();
  Status check_end() const;

  size_t available_bytes() const { return filled_bytes_ - parsed_bytes_; }
  uint64_t offset_bytes() const { return buffer_offset_bytes_ + parsed_bytes_; }
  ByteSpan available() const { return {buffer_.data() + parsed_bytes_, available_bytes()}; }
  ByteSpan payload_available() const;
  tl::unexpected<Error> corrupt(uint64_t offset_bytes, std::string_view what) const;

  ReadFunction read_;
  std::string name_;
  CarReadOptions options_;

  std::vector<uint8_t> buffer_;
  uint64_t buffer_offset_bytes_ = 0;  // of buffer_[0] in the file
  size_t parsed_bytes_ = 0;           // in the buffer
  size_t filled_bytes_ = 0;
  uint64_t delivered_offset_bytes_ = 0;  // fresh bytes begin here
  bool source_ended_ = false;

  std::vector<uint8_t> header_;
  uint64_t header_offset_bytes_ = 0;
  bool is_v2_ = false;
  uint64_t payload_end_bytes_ = UINT64_MAX;  // of a CARv2's data; a CARv1 ends with the file
  bool payload_ended_ = false;
  bool in_zero_tail_ = false;
  uint64_t needed_bytes_ = 0;  // a section longer than what is there
  std::vector<CarSection> sections_;
  Status framing_;  // the fault that the next call returns
};

}  // namespace piecework::io
