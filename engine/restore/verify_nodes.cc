// See verify_nodes.h.
#include "engine/restore/verify_nodes.h"

#include <fmt/format.h>

#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/record/nodes_format.h"
#include "engine/record/zstd_frame.h"
#include "kernels/base/units.h"
#include "kernels/base/varint.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

// A frame holds about 1 MiB, or a single entry with the largest block that is accepted.
constexpr uint64_t kContentBytesMax = 64 * kMiB;
// 32 bytes for each MiB of nodes: 2 TiB of them.
constexpr uint64_t kIndexBytesMax = 64 * kMiB;

class NodesVerification {
 public:
  explicit NodesVerification(const io::File& file) : file_(file) {}

  Result<NodesFacts> run() {
    PIECEWORK_TRY(read_index());
    if (!index_.empty()) expected_.car_offset_bytes = index_[0].car_offset_bytes;  // the CAR's header is not in here
    for (const NodesFrameIndex& entry : index_) PIECEWORK_TRY(check_frame(entry));
    if (expected_.frame_offset_bytes != trailer_.index_offset_bytes) return corrupt("its index leaves frames out");
    if (facts_.content.content_bytes != trailer_.content_bytes) {
      return corrupt(fmt::format("its trailer says {} bytes of content, its frames hold {}", trailer_.content_bytes,
                                 facts_.content.content_bytes));
    }
    facts_.content.sha256 = hasher_.finish();
    facts_.section_count = expected_.first_section;
    facts_.car_bytes = expected_.car_offset_bytes;
    return facts_;
  }

 private:
  tl::unexpected<Error> corrupt(std::string_view what) const {
    return fail(ErrorCode::kCorrupt, file_.side(), fmt::format("{}: {}", printable(file_.path()), what));
  }

  // Fills buffer_ with exactly these bytes of the file.
  Status read(uint64_t offset_bytes, uint64_t length_bytes) {
    buffer_.resize(static_cast<size_t>(length_bytes));
    PIECEWORK_ASSIGN(const size_t read_bytes, file_.read_full(buffer_, offset_bytes));
    if (read_bytes != buffer_.size()) return corrupt("it became shorter while it was read");
    return {};
  }

  Status read_index() {
    PIECEWORK_ASSIGN(const io::FileStamp stamp, file_.stamp());
    if (stamp.size_bytes < sizeof trailer_) return corrupt("too short for its trailer");
    const uint64_t trailer_offset_bytes = stamp.size_bytes - sizeof trailer_;
    PIECEWORK_TRY(read(trailer_offset_bytes, sizeof trailer_));
    const NodesTrailer expected;
    std::memcpy(&trailer_, buffer_.data(), sizeof trailer_);
    if (std::memcmp(trailer_.magic, expected.magic, sizeof expected.magic) != 0) return corrupt("no trailer");
    if (trailer_.index_offset_bytes > trailer_offset_bytes ||
        trailer_offset_bytes - trailer_.index_offset_bytes > kIndexBytesMax) {
      return corrupt("its index lies outside the file or is too large");
    }
    PIECEWORK_TRY(read(trailer_.index_offset_bytes, trailer_offset_bytes - trailer_.index_offset_bytes));
    PIECEWORK_TRY(decompress(kIndexBytesMax, "its index"));
    if (content_.size() % sizeof(NodesFrameIndex) != 0) return corrupt("its index ends inside an entry");
    index_.resize(content_.size() / sizeof(NodesFrameIndex));
    if (!index_.empty()) std::memcpy(index_.data(), content_.data(), content_.size());
    return {};
  }

  // The single frame in buffer_ into content_.
  Status decompress(uint64_t content_bytes_max, std::string_view what) {
    if (first_frame_bytes(buffer_) != buffer_.size()) return corrupt(fmt::format("{} is not one zstd frame", what));
    const Status status = decompress_frame(buffer_, content_bytes_max, content_);
    if (!status) return corrupt(fmt::format("{}: {}", what, status.error().message));
    return {};
  }

  // A frame must stand where the one before it ended, in this file and in the CAR.
  Status check_frame(const NodesFrameIndex& entry) {
    if (entry.frame_offset_bytes != expected_.frame_offset_bytes ||
        entry.car_offset_bytes != expected_.car_offset_bytes || entry.first_section != expected_.first_section) {
      return corrupt(fmt::format("the index entry of the frame at byte {} does not follow the one before it",
                                 expected_.frame_offset_bytes));
    }
    if (entry.frame_length_bytes > trailer_.index_offset_bytes - entry.frame_offset_bytes) {
      return corrupt(fmt::format("the frame at byte {} passes the index", entry.frame_offset_bytes));
    }
    PIECEWORK_TRY(read(entry.frame_offset_bytes, entry.frame_length_bytes));
    PIECEWORK_TRY(decompress(kContentBytesMax, fmt::format("the frame at byte {}", entry.frame_offset_bytes)));
    if (content_.size() != entry.content_bytes) {
      return corrupt(fmt::format("the frame at byte {} holds {} bytes, its index entry says {}",
                                 entry.frame_offset_bytes, content_.size(), entry.content_bytes));
    }
    for (ByteSpan rest = content_; !rest.empty();) {
      PIECEWORK_ASSIGN(const size_t entry_bytes, check_entry(rest));
      rest = rest.subspan(entry_bytes);
    }
    hasher_.append(content_);
    facts_.content.content_bytes += content_.size();
    expected_.frame_offset_bytes += entry.frame_length_bytes;
    return {};
  }

  // Passes over one entry: kind, length of the section, CID, and the block where it is no file data.
  Result<size_t> check_entry(ByteSpan entry) {
    const auto kind = static_cast<NodesEntryKind>(entry[0]);
    const DecodedVarint length = decode_varint(entry.subspan(1));
    if (kind > NodesEntryKind::kFileData || length.status != VarintStatus::kOk) return corrupt("an entry is malformed");
    const size_t head_bytes = 1 + length.length_bytes;
    const ByteSpan section = entry.subspan(head_bytes);
    const Result<CidView> cid = decode_cid_prefix(section);
    const bool is_whole = kind == NodesEntryKind::kFileData || length.value <= section.size();
    if (!cid || cid->bytes.size() > length.value || !is_whole) return corrupt("an entry has no CID or is cut short");
    expected_.car_offset_bytes += length.length_bytes + length.value;
    ++expected_.first_section;
    const uint64_t body_bytes = kind == NodesEntryKind::kFileData ? cid->bytes.size() : length.value;
    return head_bytes + static_cast<size_t>(body_bytes);
  }

  const io::File& file_;
  NodesTrailer trailer_;
  std::vector<NodesFrameIndex> index_;
  NodesFrameIndex expected_;  // of the next frame; lengths unused
  NodesFacts facts_;
  kernels::Sha256 hasher_;
  std::vector<uint8_t> buffer_;
  std::vector<uint8_t> content_;
};

}  // namespace

Result<NodesFacts> verify_nodes(const io::File& file) { return NodesVerification(file).run(); }

}  // namespace piecework::engine
