// The sections of a CAR by their heads alone: length, CID and the first bytes, without reading the data in between.
//
// For files (pread), and for whoever needs to know where blocks lie but not what they hold: over sections of 1 MiB less
// than one byte in a hundred is read. Framing and verdicts are car_reader.h's, which reads pipes and everything.
// Source: formats.md 7. What a CID means is engine/codec's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "io/car_reader.h"
#include "io/file.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::io {

// As many bytes of a section are shown at least, where it has so many.
inline constexpr size_t kCarSectionHeadBytes = 512;

struct CarSectionHead {
  uint64_t offset_bytes = 0;          // of its length varint, in the file
  uint64_t content_offset_bytes = 0;  // of the CID
  uint64_t content_bytes = 0;         // CID and data
  ByteSpan head;                      // of the content: all of it, or its first kCarSectionHeadBytes
};

// Where sections stand in a file.
struct CarSectionRange {
  uint64_t begin_bytes = 0;  // of the first section
  uint64_t end_bytes = 0;    // where they end: the file's size, or as a CARv2 declares
  uint64_t file_bytes = 0;   // the file's size
};

// From front to back, once. Memory: one window of 1 MiB at most. Thread-compatible.
class CarSectionWalker {
 public:
  // `file` is used until the walker goes. `name` is for messages.
  // REQUIRES: range.begin_bytes <= end_bytes, and <= file_bytes.
  CarSectionWalker(const File& file, std::string name, const CarSectionRange& range);

  // The next section, whose head is valid until the next call; none at the end. Zero bytes after the last section are
  // an error. Errors: kCorrupt (source) with the offset; kChanged where the file is shorter than it was; of reading,
  // with the file's side. REQUIRES: no call after the end or an error.
  Result<std::optional<CarSectionHead>> next();

  // Everything before is walked; for progress.
  uint64_t offset_bytes() const { return offset_bytes_; }
  // What was really read of the file.
  uint64_t read_bytes() const { return read_bytes_; }

 private:
  Result<ByteSpan> window_at(uint64_t offset_bytes, size_t byte_count);
  tl::unexpected<Error> corrupt(std::string_view what) const;

  const File& file_;
  std::string name_;
  CarSectionRange range_;
  uint64_t offset_bytes_ = 0;

  std::unique_ptr<uint8_t[]> window_;
  uint64_t window_offset_bytes_ = 0;  // in the file
  size_t window_bytes_ = 0;
  size_t step_bytes_ = 0;  // of the last read, before rounding
  uint64_t read_bytes_ = 0;
};

}  // namespace piecework::io
