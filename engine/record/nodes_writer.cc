#include "engine/record/nodes_writer.h"

#include <fmt/format.h>

#include <cstring>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/record/nodes_format.h"
#include "kernels/base/varint.h"

namespace piecework::engine {
namespace {

// The entry at the start of `content`, or 0 bytes where it is not all there.
struct EntryLengths {
  uint64_t entry_bytes = 0;
  uint64_t section_bytes = 0;  // in the CAR
};

EntryLengths entry_lengths(ByteSpan content) {
  if (content.empty()) return {};
  const bool is_file_data = content[0] == static_cast<uint8_t>(NodesEntryKind::kFileData);
  const DecodedVarint length = decode_varint(content.subspan(1));
  if (length.status != VarintStatus::kOk) return {};
  const size_t head_bytes = 1 + length.length_bytes;
  const uint64_t section_bytes = length.length_bytes + length.value;
  if (!is_file_data) {
    return content.size() < head_bytes + length.value ? EntryLengths{}
                                                      : EntryLengths{head_bytes + length.value, section_bytes};
  }
  const auto cid = decode_cid_prefix(content.subspan(head_bytes));
  if (!cid) return {};  // not all of it is there: what is in the spool was encoded from CIDs
  return {head_bytes + cid->bytes.size(), section_bytes};
}

// Cuts the stream into frames at entry boundaries and writes them.
class FrameWriter {
 public:
  FrameWriter(uint64_t first_section_bytes, io::PublishedFile& target)
      : target_(target), car_offset_bytes_(first_section_bytes) {}

  // Takes whole entries from the front of `content` and returns how many bytes they have.
  Result<size_t> take(ByteSpan content, bool is_end) {
    size_t done = 0;  // written in frames
    size_t at = 0;    // end of the frame being collected
    uint64_t frame_sections = 0;
    uint64_t frame_car_bytes = 0;
    for (;;) {
      const EntryLengths entry = entry_lengths(content.subspan(at));
      const bool no_more = entry.entry_bytes == 0;
      const bool frame_full = at > done && at - done + entry.entry_bytes > kNodesFrameBytes;
      if (at > done && (frame_full || (no_more && is_end))) {
        PIECEWORK_TRY(write_frame(content.subspan(done, at - done)));
        section_ += frame_sections;
        car_offset_bytes_ += frame_car_bytes;
        done = at;
        frame_sections = frame_car_bytes = 0;
      }
      if (no_more) return done;
      at += entry.entry_bytes;
      ++frame_sections;
      frame_car_bytes += entry.section_bytes;
    }
  }

  Result<SidecarContent> finish() {
    NodesTrailer trailer;
    trailer.index_offset_bytes = written_bytes_;
    trailer.content_bytes = content_bytes_;
    PIECEWORK_TRY(compressor_.compress(
        {reinterpret_cast<const uint8_t*>(index_.data()), index_.size() * sizeof index_[0]}, frame_));
    PIECEWORK_TRY(target_.write(frame_, written_bytes_));
    written_bytes_ += frame_.size();
    PIECEWORK_TRY(target_.write({reinterpret_cast<const uint8_t*>(&trailer), sizeof trailer}, written_bytes_));
    return SidecarContent{content_bytes_, hasher_.finish()};
  }

 private:
  Status write_frame(ByteSpan content) {
    PIECEWORK_TRY(compressor_.compress(content, frame_));
    PIECEWORK_TRY(target_.write(frame_, written_bytes_));
    index_.push_back({car_offset_bytes_, section_, written_bytes_, static_cast<uint32_t>(frame_.size()),
                      static_cast<uint32_t>(content.size())});
    written_bytes_ += frame_.size();
    content_bytes_ += content.size();
    hasher_.append(content);
    return {};
  }

  io::PublishedFile& target_;
  ZstdCompressor compressor_{1};  // mostly digests, which do not compress
  std::vector<uint8_t> frame_;
  std::vector<NodesFrameIndex> index_;
  kernels::Sha256 hasher_;
  uint64_t car_offset_bytes_;
  uint64_t section_ = 0;
  uint64_t written_bytes_ = 0;
  uint64_t content_bytes_ = 0;
};

constexpr size_t kReadBytes = 4 * kNodesFrameBytes;

tl::unexpected<Error> spool_too_short(const io::PublishedFile& spool, uint64_t found_bytes, uint64_t expected_bytes) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kDestination,
              fmt::format("'{}' ends at {} bytes, expected {}: somebody else changes it", printable(spool.path()),
                          found_bytes, expected_bytes));
}

}  // namespace

Result<SidecarContent> NodesSpool::finish(uint64_t content_bytes, uint64_t first_section_bytes,
                                          io::PublishedFile& target, const std::atomic<bool>* stop) {
  FrameWriter writer(first_section_bytes, target);
  std::vector<uint8_t> buffer(std::min<uint64_t>(kReadBytes, content_bytes));
  uint64_t read_bytes = 0;
  size_t held_bytes = 0;  // at the front of the buffer, not yet in a frame
  while (read_bytes < content_bytes || held_bytes > 0) {
    if (stop != nullptr && stop->load()) {
      return fail(ErrorCode::kCancelled, ErrorSide::kInternal, std::string(kStoppedText));
    }
    const size_t want = std::min<uint64_t>(buffer.size() - held_bytes, content_bytes - read_bytes);
    PIECEWORK_ASSIGN(const size_t got, spool_.read(MutableByteSpan(buffer).subspan(held_bytes, want), read_bytes));
    if (got != want) return spool_too_short(spool_, read_bytes + got, content_bytes);
    read_bytes += got;
    held_bytes += got;
    PIECEWORK_ASSIGN(const size_t taken, writer.take(ByteSpan(buffer).first(held_bytes), read_bytes == content_bytes));
    std::memmove(buffer.data(), buffer.data() + taken, held_bytes - taken);
    held_bytes -= taken;
    if (taken == 0) {  // an entry that is longer than the buffer
      PIECEWORK_CHECK(read_bytes < content_bytes);
      buffer.resize(2 * buffer.size());
    }
  }
  return writer.finish();
}

}  // namespace piecework::engine
