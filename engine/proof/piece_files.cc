// See piece_files.h.
#include "engine/proof/piece_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "engine/codec/car_block.h"
#include "engine/codec/piece_cid.h"
#include "engine/piece/segment_tree.h"
#include "engine/record/batch_state.h"
#include "engine/record/tree_file.h"
#include "io/car_reader.h"

namespace piecework::engine {
namespace {

uint64_t key_of(ByteSpan cid) {
  uint64_t key = 0;
  const size_t count = std::min(cid.size(), sizeof key);
  std::memcpy(&key, cid.data() + cid.size() - count, count);
  return key;
}

SectionPlace place_of(const NodesEntry& entry, size_t frame, size_t place_in_frame) {
  return {entry.car_offset_bytes, entry.section_bytes, entry.block_bytes, frame, place_in_frame};
}

}  // namespace

Result<std::unique_ptr<PieceFiles>> PieceFiles::open(const PieceRecord& record) {
  std::unique_ptr<PieceFiles> piece(new PieceFiles(record));
  PIECEWORK_ASSIGN(piece->root_cid_, parse_cid(record.receipt.root_cid));
  PIECEWORK_ASSIGN(piece->segment_roots_, read_segment_roots(record.directory, record.receipt));
  piece->root_ = piece_root(piece->segment_roots_, record.receipt.payload_bytes);
  const std::string nodes_path = record.directory + "/" + nodes_name(record.receipt.piece_cid_v1);
  PIECEWORK_ASSIGN(piece->nodes_file_, io::open_named(nodes_path, ErrorSide::kSource));
  PIECEWORK_ASSIGN(NodesReader reader, NodesReader::open(piece->nodes_file_));
  piece->nodes_.emplace(std::move(reader));
  return piece;
}

Status PieceFiles::make_index() {
  for (size_t frame = 0; frame < nodes_->frames().size(); ++frame) {
    size_t at = 0;
    PIECEWORK_TRY(nodes_->visit_frame(frame, [&](const NodesEntry& entry) -> Status {
      index_.push_back({key_of(entry.cid.bytes), entry.car_offset_bytes, static_cast<uint32_t>(frame),
                        static_cast<uint32_t>(at)});
      at += entry.entry_bytes;
      return {};
    }));
  }
  std::sort(index_.begin(), index_.end(), [](const IndexEntry& a, const IndexEntry& b) { return a.key < b.key; });
  has_index_ = true;
  return {};
}

Result<std::optional<SectionPlace>> PieceFiles::find(const Cid& cid) {
  if (!has_index_ && cid == root_cid_ && !nodes_->frames().empty()) {
    PIECEWORK_ASSIGN(const ByteSpan content, nodes_->read_frame(0));
    PIECEWORK_ASSIGN(const NodesEntry entry, decode_nodes_entry(content, nodes_->first_section_bytes()));
    if (std::ranges::equal(entry.cid.bytes, cid.bytes())) return std::optional(place_of(entry, 0, 0));
  }
  if (!has_index_) PIECEWORK_TRY(make_index());
  const uint64_t key = key_of(cid.bytes());
  auto found = std::lower_bound(index_.begin(), index_.end(), key,
                                [](const IndexEntry& entry, uint64_t wanted) { return entry.key < wanted; });
  for (; found != index_.end() && found->key == key; ++found) {
    PIECEWORK_ASSIGN(const ByteSpan content, nodes_->read_frame(found->frame));
    PIECEWORK_ASSIGN(const NodesEntry entry,
                     decode_nodes_entry(content.subspan(found->entry), found->car_offset_bytes));
    if (!std::ranges::equal(entry.cid.bytes, cid.bytes())) continue;
    return std::optional(place_of(entry, found->frame, found->entry));
  }
  return std::optional<SectionPlace>();
}

Result<std::vector<uint8_t>> PieceFiles::read_block(const Cid& cid, const SectionPlace& place) {
  PIECEWORK_ASSIGN(const ByteSpan content, nodes_->read_frame(place.frame));
  PIECEWORK_ASSIGN(const NodesEntry entry,
                   decode_nodes_entry(content.subspan(place.entry), place.car_offset_bytes));
  if (place.block_bytes > io::kCarBlockBytesMax) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
                fmt::format("{}: a block of {} bytes, expected at most {}", cid.text(), place.block_bytes,
                            io::kCarBlockBytesMax));
  }
  std::vector<uint8_t> block(entry.block.begin(), entry.block.end());
  if (entry.kind == NodesEntryKind::kFileData) {
    block.resize(static_cast<size_t>(place.block_bytes));
    PIECEWORK_TRY(read_payload(block, entry.block_offset_bytes()));
  }
  PIECEWORK_TRY(check_block_digest(cid.view(), block));
  return block;
}

Status PieceFiles::read_payload(MutableByteSpan target, uint64_t offset_bytes) {
  const std::string path = record_.directory + "/" + car_name(receipt().piece_cid_v1);
  // Opened each time: a proof over many pieces would else hold two descriptors for each.
  const Result<io::File> car = io::open_named(path, ErrorSide::kSource);
  if (!car && car.error().code == ErrorCode::kNotFound) {
    return fail(ErrorCode::kNotFound, ErrorSide::kSource,
                fmt::format("'{}' does not exist, and the bytes around the item are needed from it: run the same pack "
                            "again without --no-car, or put the CAR there",
                            printable(path)));
  }
  if (!car) return tl::unexpected<Error>(car.error());
  PIECEWORK_ASSIGN(const size_t read_bytes, car->read_full(target, offset_bytes));
  if (read_bytes == target.size()) return {};
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
              fmt::format("'{}' ends at {}, expected {} bytes", printable(path), offset_bytes + read_bytes,
                          receipt().payload_bytes));
}

Status PieceFiles::load_segment(uint64_t number) {
  if (segment_ == number) return {};
  segment_.reset();
  const uint64_t payload_bytes = receipt().payload_bytes;
  const unsigned height = segment_tree_height(payload_bytes);
  const PayloadRange range = payload_below({height, number}, payload_bytes);
  segment_payload_.resize(static_cast<size_t>(range.end_bytes - range.begin_bytes));
  PIECEWORK_TRY(read_payload(segment_payload_, range.begin_bytes));
  if (subtree_root(segment_payload_, height) != segment_roots_[number]) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
                fmt::format("'{}/{}', bytes {} to {}: not what its tree says", printable(record_.directory),
                            car_name(receipt().piece_cid_v1), range.begin_bytes, range.end_bytes));
  }
  segment_ = number;
  return {};
}

Result<Digest32> PieceFiles::subtree(const TreeNode& node) {
  const uint64_t payload_bytes = receipt().payload_bytes;
  const unsigned height = segment_tree_height(payload_bytes);
  if (node.height < height) {
    const uint64_t number = node.index >> (height - node.height);
    PIECEWORK_TRY(load_segment(number));
    const PayloadRange segment = payload_below({height, number}, payload_bytes);
    const PayloadRange range = payload_below(node, payload_bytes);
    return subtree_root(ByteSpan(segment_payload_)
                            .subspan(range.begin_bytes - segment.begin_bytes, range.end_bytes - range.begin_bytes),
                        node.height);
  }
  SubtreeStack stack(height);
  const uint64_t count = uint64_t{1} << (node.height - height);
  const uint64_t first = node.index * count;
  for (uint64_t i = first; i < std::min<uint64_t>(first + count, segment_roots_.size()); ++i) {
    stack.append(segment_roots_[i]);
  }
  return stack.finish(node.height);
}

}  // namespace piecework::engine
