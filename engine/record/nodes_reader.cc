// See nodes_reader.h.
#include "engine/record/nodes_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/piece/piece_size.h"
#include "engine/record/zstd_frame.h"
#include "kernels/base/units.h"
#include "kernels/base/varint.h"

namespace piecework::engine {
namespace {

// A frame holds at most 1 MiB, or a single entry with the largest block that is accepted.
constexpr uint64_t kContentBytesMax = 64 * kMiB;
// 32 bytes for each MiB of nodes: 2 TiB of them.
constexpr uint64_t kIndexBytesMax = 64 * kMiB;

tl::unexpected<Error> malformed(uint64_t car_offset_bytes, std::string_view what) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
              fmt::format("the entry of the section at {}: {}", car_offset_bytes, what));
}

}  // namespace

Result<NodesEntry> decode_nodes_entry(ByteSpan content, uint64_t car_offset_bytes) {
  if (content.empty() || content[0] > static_cast<uint8_t>(NodesEntryKind::kFileData)) {
    return malformed(car_offset_bytes, "expected kind 0 or 1");
  }
  NodesEntry entry;
  entry.kind = static_cast<NodesEntryKind>(content[0]);
  entry.car_offset_bytes = car_offset_bytes;
  const DecodedVarint length = decode_varint(content.subspan(1));
  if (length.status != VarintStatus::kOk) return malformed(car_offset_bytes, "no length");
  if (car_offset_bytes > kPayloadBytesMax || length.value > kPayloadBytesMax) {
    return malformed(car_offset_bytes, "longer than the largest piece");
  }
  const ByteSpan section = content.subspan(1 + length.length_bytes);
  Result<CidView> cid = decode_cid_prefix(section);
  if (!cid) return malformed(car_offset_bytes, cid.error().message);
  entry.cid = *cid;
  const size_t cid_bytes = entry.cid.bytes.size();
  if (cid_bytes > length.value) return malformed(car_offset_bytes, "its CID is longer than the section");
  entry.section_bytes = length.length_bytes + length.value;
  entry.block_bytes = length.value - cid_bytes;
  entry.entry_bytes = 1 + length.length_bytes + cid_bytes;
  if (entry.kind == NodesEntryKind::kFileData) return entry;
  if (entry.block_bytes > section.size() - cid_bytes) return malformed(car_offset_bytes, "its block is cut short");
  entry.block = section.subspan(cid_bytes, static_cast<size_t>(entry.block_bytes));
  entry.entry_bytes += entry.block.size();
  return entry;
}

Result<NodesReader> NodesReader::open(const io::File& file) {
  NodesReader reader(file);
  PIECEWORK_TRY(reader.read_index());
  return reader;
}

tl::unexpected<Error> NodesReader::corrupt(std::string_view what) const {
  return fail(ErrorCode::kCorrupt, file_->side(), fmt::format("{}: {}", printable(file_->path()), what));
}

// Fills compressed_ with exactly these bytes of the file.
Status NodesReader::read(uint64_t offset_bytes, uint64_t length_bytes) {
  compressed_.resize(static_cast<size_t>(length_bytes));
  PIECEWORK_ASSIGN(const size_t read_bytes, file_->read_full(compressed_, offset_bytes));
  if (read_bytes != compressed_.size()) return corrupt("it became shorter while it was read");
  return {};
}

// The single frame in compressed_ into content_.
Status NodesReader::decompress(uint64_t content_bytes_max, std::string_view what) {
  if (first_frame_bytes(compressed_) != compressed_.size()) {
    return corrupt(fmt::format("{} is not one zstd frame", what));
  }
  const Status status = decompress_frame(compressed_, content_bytes_max, content_);
  if (!status) return corrupt(fmt::format("{}: {}", what, status.error().message));
  return {};
}

Status NodesReader::read_index() {
  NodesTrailer trailer;
  const NodesTrailer expected;
  PIECEWORK_ASSIGN(const io::FileStamp stamp, file_->stamp());
  if (stamp.size_bytes < sizeof trailer) return corrupt("too short for its trailer");
  const uint64_t trailer_offset_bytes = stamp.size_bytes - sizeof trailer;
  PIECEWORK_TRY(read(trailer_offset_bytes, sizeof trailer));
  std::memcpy(&trailer, compressed_.data(), sizeof trailer);
  if (std::memcmp(trailer.magic, expected.magic, sizeof expected.magic) != 0) return corrupt("no trailer");
  if (trailer.index_offset_bytes > trailer_offset_bytes ||
      trailer_offset_bytes - trailer.index_offset_bytes > kIndexBytesMax) {
    return corrupt("its index lies outside the file or is too large");
  }
  PIECEWORK_TRY(read(trailer.index_offset_bytes, trailer_offset_bytes - trailer.index_offset_bytes));
  PIECEWORK_TRY(decompress(kIndexBytesMax, "its index"));
  if (content_.size() % sizeof(NodesFrameIndex) != 0) return corrupt("its index ends inside an entry");
  index_.resize(content_.size() / sizeof(NodesFrameIndex));
  if (!index_.empty()) std::memcpy(index_.data(), content_.data(), content_.size());
  content_bytes_ = trailer.content_bytes;
  return check_index(trailer.index_offset_bytes);
}

// Frames stand one behind the other, in this file and in the CAR. That they hold what they should is seen when read.
Status NodesReader::check_index(uint64_t index_offset_bytes) const {
  NodesFrameIndex expected;  // car_offset_bytes and first_section: at least
  uint64_t content_bytes = 0;
  for (const NodesFrameIndex& entry : index_) {
    const bool is_first = &entry == index_.data();
    if (entry.frame_offset_bytes != expected.frame_offset_bytes || entry.car_offset_bytes < expected.car_offset_bytes ||
        (is_first ? entry.first_section != 0 : entry.first_section < expected.first_section)) {
      return corrupt(fmt::format("the index entry of the frame at byte {} does not follow the one before it",
                                 expected.frame_offset_bytes));
    }
    if (entry.car_offset_bytes > kPayloadBytesMax || entry.content_bytes > kContentBytesMax) {
      return corrupt(fmt::format("the index entry of the frame at byte {} is out of bounds", entry.frame_offset_bytes));
    }
    if (entry.frame_length_bytes > index_offset_bytes - entry.frame_offset_bytes) {
      return corrupt(fmt::format("the frame at byte {} passes the index", entry.frame_offset_bytes));
    }
    expected.frame_offset_bytes += entry.frame_length_bytes;
    expected.car_offset_bytes = entry.car_offset_bytes + 1;
    expected.first_section = entry.first_section + 1;
    content_bytes += entry.content_bytes;
  }
  if (expected.frame_offset_bytes != index_offset_bytes) return corrupt("its index leaves frames out");
  if (content_bytes != content_bytes_) {
    return corrupt(fmt::format("its trailer says {} bytes of content, its frames hold {}", content_bytes_,
                               content_bytes));
  }
  return {};
}

Result<ByteSpan> NodesReader::read_frame(size_t number) {
  if (number == frame_) return ByteSpan(content_);
  const NodesFrameIndex& entry = index_[number];
  frame_ = kNoFrame;
  PIECEWORK_TRY(read(entry.frame_offset_bytes, entry.frame_length_bytes));
  PIECEWORK_TRY(decompress(kContentBytesMax, fmt::format("the frame at byte {}", entry.frame_offset_bytes)));
  if (content_.size() != entry.content_bytes) {
    return corrupt(fmt::format("the frame at byte {} holds {} bytes, its index entry says {}", entry.frame_offset_bytes,
                               content_.size(), entry.content_bytes));
  }
  frame_ = number;
  return ByteSpan(content_);
}

Result<uint64_t> NodesReader::visit_frame(size_t number, const Visitor& visit) {
  PIECEWORK_ASSIGN(ByteSpan rest, read_frame(number));
  uint64_t car_offset_bytes = index_[number].car_offset_bytes;
  uint64_t section = index_[number].first_section;
  while (!rest.empty()) {
    Result<NodesEntry> entry = decode_nodes_entry(rest, car_offset_bytes);
    if (!entry) return corrupt(entry.error().message);
    car_offset_bytes = entry->car_end_bytes();
    ++section;
    rest = rest.subspan(entry->entry_bytes);
    PIECEWORK_TRY(visit(*entry));
  }
  const bool is_last = number + 1 == index_.size();
  if (!is_last &&
      (car_offset_bytes != index_[number + 1].car_offset_bytes || section != index_[number + 1].first_section)) {
    return corrupt(fmt::format("the index entry of the frame at byte {} does not follow the one before it",
                               index_[number + 1].frame_offset_bytes));
  }
  return car_offset_bytes;
}

Status NodesReader::visit_all(const Visitor& visit) {
  for (size_t number = 0; number < index_.size(); ++number) PIECEWORK_TRY(visit_frame(number, visit));
  return {};
}

// The last frame that begins at or before this byte; the first where none does.
size_t NodesReader::frame_at(uint64_t car_offset_bytes) const {
  const auto behind = std::upper_bound(index_.begin(), index_.end(), car_offset_bytes,
                                       [](uint64_t offset_bytes, const NodesFrameIndex& entry) {
                                         return offset_bytes < entry.car_offset_bytes;
                                       });
  return behind == index_.begin() ? 0 : static_cast<size_t>(behind - index_.begin()) - 1;
}

Status NodesReader::visit_range(uint64_t begin_bytes, uint64_t end_bytes, const Visitor& visit) {
  if (begin_bytes >= end_bytes) return {};
  const Visitor visit_inside = [&](const NodesEntry& entry) -> Status {
    if (entry.car_end_bytes() <= begin_bytes || entry.car_offset_bytes >= end_bytes) return {};
    return visit(entry);
  };
  for (size_t number = frame_at(begin_bytes); number < index_.size(); ++number) {
    if (index_[number].car_offset_bytes >= end_bytes) break;
    PIECEWORK_TRY(visit_frame(number, visit_inside));
  }
  return {};
}

}  // namespace piecework::engine
