// commP, the piece commitment of any bytes: in memory, from a file on several threads, or from a stream in one pass.
//
// Method: segments (1,040,384 payload bytes) are hashed independently, each by one thread while its bytes are in cache;
// their roots are folded in order. Memory is a fixed number of segment buffers, whatever the length. Nothing shared is
// touched per node: threads meet once per segment. Source: formats.md 8; the result equals go-fil-commp-hashhash's and,
// for payloads of 0 to 64 bytes, FRC-0069's.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/piece/segment_tree.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

struct Commp {
  Digest32 root{};
  uint64_t payload_bytes = 0;
  uint64_t padded_bytes = 0;
};

// commP of bytes that arrive in parts of any length, on one thread. Holds at most one segment. Thread-compatible.
class CommpAccumulator {
 public:
  // REQUIRES: at most kPayloadBytesMax in all.
  void append(ByteSpan bytes);
  // Of what was appended so far; more may be appended afterwards.
  [[nodiscard]] Commp finish() const;

 private:
  SubtreeStack roots_{kSegmentHeight};
  std::vector<uint8_t> pending_;  // the start of the next segment
  uint64_t payload_bytes_ = 0;
};

// commP of bytes in memory, on `thread_count` threads. Memory: 32 bytes a segment. Errors: kResourceExhausted.
Result<Commp> commp_of_bytes(ByteSpan bytes, unsigned thread_count);

struct CommpOptions {
  unsigned thread_count = 1;
  const std::atomic<bool>* stop = nullptr;      // looked at once a segment; kCancelled where it becomes true
  std::atomic<uint64_t>* done_bytes = nullptr;  // grows as segments are hashed, for progress
};

// commP of the file at `path`, or of a stream that ends (a pipe, a device). Memory: about 1 MiB for each thread and two
// more. Errors (source): kNotFound, kPermission, kIo; kChanged where a regular file's length or mtime changes while it
// is read; kResourceExhausted; kCancelled.
Result<Commp> commp_of_file(const std::string& path, const CommpOptions& options);

// The same for an open descriptor, which stays the caller's. Reads from where it stands (a regular file at its start
// with pread, which leaves the position alone). `name` is for messages.
Result<Commp> commp_of_descriptor(int descriptor, const std::string& name, const CommpOptions& options);

}  // namespace piecework::engine
