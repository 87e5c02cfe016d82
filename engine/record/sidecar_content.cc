#include "engine/record/sidecar_content.h"

#include <fmt/format.h>

#include <cstring>

#include "engine/record/nodes_format.h"
#include "engine/record/zstd_frame.h"
#include "kernels/base/units.h"

namespace piecework::engine {
namespace {

// A frame holds about 1 MiB, or a single larger entry, which is smaller than this by far.
constexpr uint64_t kContentBytesMax = 64 * kMiB;
constexpr uint64_t kFrameBytesMax = kContentBytesMax + kMiB;

tl::unexpected<Error> damaged(const io::File& file, std::string_view what) {
  return fail(ErrorCode::kCorrupt, file.side(), fmt::format("'{}': {}", printable(file.path()), what));
}

Result<uint64_t> frames_end(const io::File& file, uint64_t file_bytes) {
  NodesTrailer trailer;
  uint8_t bytes[sizeof trailer];
  if (file_bytes < sizeof bytes) return damaged(file, "too short to be a .nodes file");
  PIECEWORK_ASSIGN(const size_t got, file.read_full(bytes, file_bytes - sizeof bytes));
  const NodesTrailer expected;
  std::memcpy(&trailer, bytes, sizeof trailer);
  if (got != sizeof bytes || std::memcmp(trailer.magic, expected.magic, sizeof expected.magic) != 0) {
    return damaged(file, "the trailer of a .nodes file is missing");
  }
  if (trailer.index_offset_bytes > file_bytes - sizeof bytes) return damaged(file, "its index lies outside the file");
  return trailer.index_offset_bytes;
}

}  // namespace

Result<SidecarContent> read_sidecar_content(const io::File& file, bool has_index,
                                            const std::function<Status(ByteSpan frame)>& visit) {
  PIECEWORK_ASSIGN(const io::FileStamp stamp, file.stamp());
  uint64_t end_bytes = stamp.size_bytes;
  if (has_index) {
    PIECEWORK_ASSIGN(end_bytes, frames_end(file, stamp.size_bytes));
  }
  SidecarContent content;
  kernels::Sha256 hasher;
  std::vector<uint8_t> buffer;
  std::vector<uint8_t> decoded;
  for (uint64_t offset = 0; offset < end_bytes;) {
    // A frame's length is not known before it is looked at: start with a guess, then take what it says.
    uint64_t frame_bytes = 0;
    for (uint64_t want = 2 * kMiB; frame_bytes == 0; want = kFrameBytesMax) {
      buffer.resize(std::min(want, end_bytes - offset));
      PIECEWORK_ASSIGN(const size_t got, file.read_full(buffer, offset));
      if (got != buffer.size()) return damaged(file, "it became shorter while it was read");
      frame_bytes = first_frame_bytes(buffer);
      if (frame_bytes == 0 && want == kFrameBytesMax)
        return damaged(file, fmt::format("no whole zstd frame at {}", offset));
    }
    if (Status status = decompress_frame(ByteSpan(buffer).first(frame_bytes), kContentBytesMax, decoded); !status) {
      return damaged(file, fmt::format("at {}: {}", offset, status.error().message));
    }
    if (visit) PIECEWORK_TRY(visit(decoded));
    hasher.append(decoded);
    content.content_bytes += decoded.size();
    offset += frame_bytes;
  }
  content.sha256 = hasher.finish();
  return content;
}

}  // namespace piecework::engine
