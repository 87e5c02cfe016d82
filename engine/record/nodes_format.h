// The format of <piece>.nodes, shared by writer and reader; described in engine/FORMATS.md.
#pragma once

#include <cstdint>

namespace piecework::engine {

// First byte of an entry.
enum class NodesEntryKind : uint8_t {
  kNode = 0,      // CID and block follow
  kFileData = 1,  // only the CID follows: the block is file data, found in the CAR or in the source
};

// A file is frames, then one frame with the index, then the trailer.
struct NodesFrameIndex {
  uint64_t car_offset_bytes = 0;    // of the first section in the frame
  uint64_t first_section = 0;       // its number, from 0
  uint64_t frame_offset_bytes = 0;  // in the file
  uint32_t frame_length_bytes = 0;
  uint32_t content_bytes = 0;  // uncompressed
};
static_assert(sizeof(NodesFrameIndex) == 32);

struct NodesTrailer {
  uint64_t index_offset_bytes = 0;  // of the index's zstd frame
  uint64_t content_bytes = 0;       // of all frames but the index, uncompressed
  char magic[8] = {'P', 'W', 'N', 'O', 'D', 'E', 'S', '1'};
};
static_assert(sizeof(NodesTrailer) == 24);

inline constexpr uint64_t kNodesFrameBytes = uint64_t{1} << 20;  // content, unless a single entry is larger

}  // namespace piecework::engine
