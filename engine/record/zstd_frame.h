// The only user of zstd: whole frames in memory. Readers bound what a frame may grow to.
#pragma once

#include <memory>
#include <vector>

#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// Makes independent frames that carry their content size and a checksum. Thread-compatible; keep one for many frames.
class ZstdCompressor {
 public:
  explicit ZstdCompressor(int level = 3);
  ~ZstdCompressor();
  ZstdCompressor(ZstdCompressor&&) noexcept;
  ZstdCompressor& operator=(ZstdCompressor&&) noexcept;

  // Replaces `target` by one frame that holds `content`. Errors: kResourceExhausted.
  Status compress(ByteSpan content, std::vector<uint8_t>& target);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// Replaces `target` by the content of the single frame `frame`.
// Errors: kCorrupt where it is no frame, does not state its size, or holds more than `content_bytes_max`.
Status decompress_frame(ByteSpan frame, uint64_t content_bytes_max, std::vector<uint8_t>& target);

// Length of the frame that `bytes` begins with; 0 where it is not all there, or no frame.
uint64_t first_frame_bytes(ByteSpan bytes);

}  // namespace piecework::engine
