#include "engine/record/piece_sections.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/codec/car_block.h"
#include "engine/codec/dag_cbor.h"
#include "engine/layout/node_lengths.h"
#include "engine/record/file_row.h"
#include "engine/record/nodes_reader.h"
#include "engine/record/sidecar_content.h"
#include "engine/store/cid_map.h"
#include "io/car_section_walker.h"
#include "kernels/base/varint.h"

namespace piecework::engine {
namespace {

tl::unexpected<Error> bad_piece(const io::File& file, uint64_t offset_bytes, std::string_view what) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
              fmt::format("'{}' at byte {}: {}", printable(file.path()), offset_bytes, what));
}

// The content of a dag-pb leaf as Piecework and kubo write it, from the start of its block; 0 where it is no such leaf.
uint64_t leaf_bytes_of_head(ByteSpan head, uint64_t block_bytes) {
  // 0a <length> 08 02 12 <content length>
  if (head.empty() || head[0] != 0x0a) return 0;
  const DecodedVarint message = decode_varint(head.subspan(1));
  if (message.status != VarintStatus::kOk) return 0;
  const ByteSpan data = head.subspan(1 + message.length_bytes);
  if (data.size() < 4 || data[0] != 0x08 || data[1] != 0x02 || data[2] != 0x12) return 0;
  const DecodedVarint content = decode_varint(data.subspan(3));
  if (content.status != VarintStatus::kOk || content.value == 0 || content.value > block_bytes) return 0;
  return leaf_data_bytes(content.value) == block_bytes ? content.value : 0;
}

// The content of a leaf of this length in the encoding of Piecework and kubo; none where no leaf has this length.
std::optional<uint64_t> leaf_bytes_of_length(uint64_t block_bytes) {
  if (block_bytes == leaf_data_bytes(0)) return 0;
  for (uint64_t framing = 1; framing < 40 && framing < block_bytes; ++framing) {
    if (leaf_data_bytes(block_bytes - framing) == block_bytes) return block_bytes - framing;
  }
  return std::nullopt;
}

class CarSections : public PieceSections {
 public:
  static Result<std::unique_ptr<PieceSections>> open(const std::string& path) {
    auto sections = std::make_unique<CarSections>();
    PIECEWORK_ASSIGN(sections->file_, io::open_named(path, ErrorSide::kSource));
    PIECEWORK_ASSIGN(const io::FileStamp stamp, sections->file_.stamp());
    sections->payload_bytes_ = stamp.size_bytes;
    PIECEWORK_TRY(sections->read_header());
    return std::unique_ptr<PieceSections>(std::move(sections));
  }

  const Cid& root() const override { return root_; }
  uint64_t payload_bytes() const override { return payload_bytes_; }

  Status visit_all(const Visitor& visit) override {
    io::CarSectionWalker walker(file_, file_.path(), {first_section_bytes_, payload_bytes_, payload_bytes_});
    for (;;) {
      PIECEWORK_ASSIGN(const std::optional<io::CarSectionHead> head, walker.next());
      if (!head) return {};
      const Result<CidView> cid = decode_cid_prefix(head->head);
      if (!cid || cid->bytes.size() > head->content_bytes) {
        return bad_piece(file_, head->content_offset_bytes, "expected a CID");
      }
      PieceSection section{.offset_bytes = head->offset_bytes, .cid = *cid};
      section.section_bytes = head->content_offset_bytes - head->offset_bytes + head->content_bytes;
      section.block_bytes = head->content_bytes - cid->bytes.size();
      if (cid->codec == kCodecDagPb) {
        section.leaf_bytes = leaf_bytes_of_head(head->head.subspan(cid->bytes.size()), section.block_bytes);
      }
      section.has_block = cid->codec != kCodecRaw && section.leaf_bytes == 0;
      PIECEWORK_TRY(visit(section));
    }
  }

  Result<std::vector<uint8_t>> read_block(uint64_t offset_bytes, uint64_t section_bytes) override {
    std::vector<uint8_t> bytes(section_bytes);
    PIECEWORK_ASSIGN(const size_t got, file_.read_full(bytes, offset_bytes));
    if (got != bytes.size()) return bad_piece(file_, offset_bytes + got, "the file became shorter");
    const DecodedVarint length = decode_varint(bytes);
    const auto block = decode_car_block(ByteSpan(bytes).subspan(length.length_bytes));
    if (!block) return bad_piece(file_, offset_bytes, block.error().message);
    if (const Status valid = check_block_digest(block->cid, block->data);
        !valid && valid.error().code == ErrorCode::kCorrupt) {
      return bad_piece(file_, offset_bytes, valid.error().message);
    }
    return std::vector<uint8_t>(block->data.begin(), block->data.end());
  }

 private:
  Status read_header() {
    constexpr uint64_t kHeaderBytesMax = 4096;  // one root
    std::vector<uint8_t> head(static_cast<size_t>(std::min(kHeaderBytesMax, payload_bytes_)));
    PIECEWORK_ASSIGN(const size_t got, file_.read_full(head, 0));
    const DecodedVarint length = decode_varint(ByteSpan(head).first(got));
    if (length.status != VarintStatus::kOk || length.value > got - length.length_bytes) {
      return bad_piece(file_, 0, "expected a CARv1 with one root");
    }
    const auto header = decode_car_v1_header(ByteSpan(head).subspan(length.length_bytes, length.value));
    if (!header) return bad_piece(file_, length.length_bytes, header.error().message);
    if (header->roots.size() != 1) return bad_piece(file_, length.length_bytes, "expected one root");
    root_ = Cid(header->roots[0]);
    first_section_bytes_ = length.length_bytes + length.value;
    return {};
  }

  io::File file_;
  Cid root_;
  uint64_t payload_bytes_ = 0;
  uint64_t first_section_bytes_ = 0;
};

class NodesSections : public PieceSections {
 public:
  explicit NodesSections(PageSource* pages) : sizes_(pages) {}

  static Result<std::unique_ptr<PieceSections>> open(const std::string& nodes_path, std::string files_path,
                                                     std::optional<SidecarContent> content, PageSource* pages) {
    auto sections = std::make_unique<NodesSections>(pages);
    sections->files_path_ = std::move(files_path);
    sections->content_ = content;
    PIECEWORK_ASSIGN(sections->file_, io::open_named(nodes_path, ErrorSide::kSource));
    PIECEWORK_ASSIGN(NodesReader reader, NodesReader::open(sections->file_));
    sections->reader_.emplace(std::move(reader));
    if (sections->reader_->frames().empty()) return bad_piece(sections->file_, 0, "it has no sections");
    // A CAR of Piecework begins with its root; where it ends the last frame says.
    const size_t last = sections->reader_->frames().size() - 1;
    const auto pass = [](const NodesEntry&) { return Status(); };
    PIECEWORK_ASSIGN(sections->payload_bytes_, sections->reader_->visit_frame(last, pass));
    PIECEWORK_TRY(sections->load(0));
    const ByteSpan frame = sections->frame_;
    PIECEWORK_ASSIGN(const NodesEntry first, decode_nodes_entry(frame, sections->reader_->first_section_bytes()));
    sections->root_ = Cid(first.cid);
    return std::unique_ptr<PieceSections>(std::move(sections));
  }

  const Cid& root() const override { return root_; }
  uint64_t payload_bytes() const override { return payload_bytes_; }

  Status visit_all(const Visitor& visit) override {
    kernels::Sha256 hasher;
    const auto visit_one = [&](const NodesEntry& entry) { return visit_entry(entry, visit); };
    for (size_t number = 0; number < reader_->frames().size(); ++number) {
      PIECEWORK_ASSIGN([[maybe_unused]] const uint64_t end, reader_->visit_frame(number, visit_one));
      if (!content_) continue;
      PIECEWORK_ASSIGN(const ByteSpan frame, reader_->read_frame(number));
      hasher.append(frame);
    }
    loaded_ = kNone;
    if (!content_ || hasher.finish() == content_->sha256) return {};
    return bad_piece(file_, 0, "it is not what its receipt says");
  }

  Result<std::vector<uint8_t>> read_block(uint64_t offset_bytes, uint64_t section_bytes) override {
    PIECEWORK_TRY(load(frame_at(offset_bytes)));
    const auto place = std::lower_bound(places_.begin(), places_.end(), offset_bytes,
                                        [](const Place& a, uint64_t b) { return a.car_offset_bytes < b; });
    if (place == places_.end() || place->car_offset_bytes != offset_bytes) {
      return bad_piece(file_, offset_bytes, "no section begins there");
    }
    PIECEWORK_ASSIGN(const NodesEntry entry, decode_nodes_entry(frame_.subspan(place->frame_offset), offset_bytes));
    if (entry.kind != NodesEntryKind::kNode || entry.section_bytes != section_bytes) {
      return bad_piece(file_, offset_bytes, "the section has no block here");
    }
    if (const Status valid = check_block_digest(entry.cid, entry.block);
        !valid && valid.error().code == ErrorCode::kCorrupt) {
      return bad_piece(file_, offset_bytes, valid.error().message);
    }
    return std::vector<uint8_t>(entry.block.begin(), entry.block.end());
  }

 private:
  static constexpr size_t kNone = ~size_t{0};
  struct Place {
    uint64_t car_offset_bytes = 0;
    size_t frame_offset = 0;
  };

  Status visit_entry(const NodesEntry& entry, const Visitor& visit) {
    PieceSection section{.offset_bytes = entry.car_offset_bytes,
                         .section_bytes = entry.section_bytes,
                         .block_bytes = entry.block_bytes,
                         .cid = entry.cid};
    section.has_block = entry.kind == NodesEntryKind::kNode;
    if (!section.has_block && entry.cid.codec == kCodecDagPb) {
      if (!has_sizes_) PIECEWORK_TRY(read_sizes());
      section.leaf_bytes =
          sizes_.find(entry.cid.bytes).value_or(leaf_bytes_of_length(entry.block_bytes).value_or(0));
    }
    return visit(section);
  }

  // The length of a leaf says what it holds in one encoding; others exist, so that the table of files has to.
  Status read_sizes() {
    has_sizes_ = true;
    const Result<io::File> table = io::open_named(files_path_, ErrorSide::kSource);
    if (!table && table.error().code == ErrorCode::kNotFound) {
      return fail(ErrorCode::kNotFound, ErrorSide::kSource,
                  fmt::format("'{}' is missing: without the piece's CAR, only this file has the sizes of files that "
                              "are dag-pb blocks: put it, or the CAR, beside '{}'",
                              printable(files_path_), printable(file_.path())));
    }
    if (!table) return tl::unexpected<Error>(table.error());
    const auto add = [this](std::string_view, const std::optional<FileRow>& row) -> Status {
      if (row && row->cid.view().codec == kCodecDagPb) sizes_.add(row->cid.bytes(), row->size_bytes);
      return {};
    };
    return read_sidecar_content(*table, false, [&](ByteSpan lines) { return visit_file_rows(lines, add); })
        .map([](const SidecarContent&) {});
  }

  size_t frame_at(uint64_t offset_bytes) const {
    const auto frames = reader_->frames();
    const auto behind = std::upper_bound(frames.begin(), frames.end(), offset_bytes,
                                         [](uint64_t a, const NodesFrameIndex& b) { return a < b.car_offset_bytes; });
    return behind == frames.begin() ? 0 : static_cast<size_t>(behind - frames.begin()) - 1;
  }

  // Makes frame `number` the one at hand, with the places of its entries.
  Status load(size_t number) {
    if (loaded_ == number) return {};
    places_.clear();
    size_t frame_offset = 0;
    PIECEWORK_TRY(reader_->visit_frame(number, [&](const NodesEntry& entry) -> Status {
      places_.push_back({entry.car_offset_bytes, frame_offset});
      frame_offset += entry.entry_bytes;
      return {};
    }));
    PIECEWORK_ASSIGN(frame_, reader_->read_frame(number));
    loaded_ = number;
    return {};
  }

  io::File file_;
  std::string files_path_;
  std::optional<SidecarContent> content_;
  std::optional<NodesReader> reader_;
  Cid root_;
  uint64_t payload_bytes_ = 0;
  size_t loaded_ = kNone;
  ByteSpan frame_;
  std::vector<Place> places_;
  bool has_sizes_ = false;
  CidMap sizes_;  // of files whose root is dag-pb
};

}  // namespace

Result<std::unique_ptr<PieceSections>> open_car_sections(const std::string& path) { return CarSections::open(path); }

Result<std::unique_ptr<PieceSections>> open_nodes_sections(const std::string& nodes_path, const std::string& files_path,
                                                           std::optional<SidecarContent> content, PageSource* pages) {
  return NodesSections::open(nodes_path, files_path, content, pages);
}

}  // namespace piecework::engine
