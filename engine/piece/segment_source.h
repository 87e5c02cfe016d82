// Where the segments of commP come from: a regular file that several threads read at offsets, or a stream that one
// reads.
//
// The two differ in who does the reading. A regular file's segment is read by the thread that hashes it, so that its
// bytes are in that thread's cache and reads overlap; a stream's is read in order by the serial stage.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "io/file_stamp.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// One segment on its way: a buffer of kSegmentBytes that is used again and again.
struct Segment {
  std::unique_ptr<uint8_t[]> buffer;
  uint64_t index = 0;
  size_t payload_bytes = 0;  // less than kSegmentBytes only in the last segment
  Digest32 root{};
};

class SegmentSource {
 public:
  virtual ~SegmentSource() = default;
  // Decides what `segment` is (index, payload_bytes), in order; false at the end of the payload. Serial.
  virtual Result<bool> next(Segment& segment) = 0;
  // Makes the segment's bytes be in its buffer. Safe for concurrent use on different segments.
  virtual Status load(Segment& segment) const = 0;
  // Called once after the last segment: an error where the payload changed meanwhile.
  virtual Status finish() const = 0;
};

// A source over `descriptor`, which stays the caller's and outlives it. A regular file of a known length that
// stands at its start is read at offsets; anything else (pipes, devices, files of /proc that say length 0) to its end.
// `name` is for messages; a stream's next() returns kCancelled where `stop` becomes true while it waits for bytes.
// Errors: source.
Result<std::unique_ptr<SegmentSource>> open_segment_source(int descriptor, std::string name,
                                                           const std::atomic<bool>* stop);

}  // namespace piecework::engine
