#include "engine/record/piece_contents.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/codec/block_links.h"
#include "engine/layout/node_lengths.h"
#include "engine/memory/paged_vector.h"
#include "engine/record/walk_limits.h"
#include "engine/store/cid_map.h"
#include "engine/store/store_node.h"

namespace piecework::engine {
namespace {

using Kind = StoreNode::Kind;

// A block notes its content in so many bits. SQLite counts rows from 1 and goes on after the largest number there is:
// only a damaged catalogue comes to more.
constexpr unsigned kContentBits = 61;
constexpr uint64_t kContentPlusOneMax = (uint64_t{1} << kContentBits) - 1;

struct Block {
  uint64_t offset_bytes = 0;
  uint64_t leaf_bytes = 0;    // of a dag-pb leaf without its bytes
  uint64_t content_plus_one : kContentBits = 0;
  uint64_t has_block : 1 = 0;
  uint64_t is_directory : 1 = 0;  // a content that is one
  uint64_t is_walked : 1 = 0;     // an inner node of a file or a shard
  uint32_t section_bytes = 0;
  uint32_t block_bytes = 0;
};

// A node whose links are being followed.
struct Frame {
  std::unique_ptr<StoreNode> node;
  uint64_t content_id = 0;
  uint64_t directory_id = 0;    // of what is below a directory
  size_t path_bytes = 0;        // of the path of what is below
  uint64_t file_offset = 0;     // of the next child of a file's node
  bool has_no_paths = false;
  bool is_again = false;        // all below is in the catalogue, but under other paths
};

// Joins ranges that continue each other.
class RangeRun {
 public:
  std::optional<CatalogueRange> add(const CatalogueRange& next) {
    if (run_ && next.leaf_bytes > 0 && run_->leaf_bytes > 0 && is_even_ &&
        next.car_offset_bytes == run_->car_offset_bytes + run_->car_bytes &&
        next.file_offset_bytes == run_->file_offset_bytes + run_->file_bytes && next.leaf_bytes <= run_->leaf_bytes &&
        next.car_bytes <= run_->section_bytes) {
      // A shorter leaf ends the run.
      is_even_ = next.leaf_bytes == run_->leaf_bytes && next.car_bytes == run_->section_bytes;
      run_->car_bytes += next.car_bytes;
      run_->file_bytes += next.file_bytes;
      return std::nullopt;
    }
    std::optional<CatalogueRange> done = take();
    run_ = next;
    is_even_ = true;
    return done;
  }
  std::optional<CatalogueRange> take() { return std::exchange(run_, std::nullopt); }

 private:
  std::optional<CatalogueRange> run_;
  bool is_even_ = true;  // all leaves so far have the same length
};

class ContentsWalk {
 public:
  ContentsWalk(PieceSections& sections, const PieceContentsOptions& options, CatalogueWriter& writer)
      : sections_(sections),
        options_(options),
        writer_(writer),
        blocks_(options.pages),
        numbers_(options.pages) {}

  Result<uint64_t> run(CataloguePiece facts) {
    PIECEWORK_TRY(sections_.visit_all([this](const PieceSection& section) { return index(section); }));
    facts.block_count = block_count_;
    limits_ = WalkLimits(block_count_);
    PIECEWORK_ASSIGN(piece_id_, writer_.add_piece(facts));
    PIECEWORK_TRY(meet_named(sections_.root().view(), {}));
    while (!frames_.empty()) PIECEWORK_TRY(step());
    if (options_.pages != nullptr) PIECEWORK_TRY(options_.pages->status());
    limits_.report(facts.cid_v1, options_.warning);
    return piece_id_;
  }

 private:
  Status index(const PieceSection& section) {
    PIECEWORK_TRY(check_stop());
    ++block_count_;
    if (!numbers_.add(section.cid.bytes, blocks_.size())) return {};  // it stands at its first section
    Block block{.offset_bytes = section.offset_bytes, .leaf_bytes = section.leaf_bytes};
    block.has_block = section.has_block;
    block.section_bytes = static_cast<uint32_t>(section.section_bytes);
    block.block_bytes = static_cast<uint32_t>(section.block_bytes);
    blocks_.push_back(block);
    if (options_.done_bytes == nullptr) return {};
    options_.done_bytes->fetch_add(section.section_bytes, std::memory_order_relaxed);
    return {};
  }

  Status check_stop() const {
    if (options_.stop == nullptr || !options_.stop->load(std::memory_order_relaxed)) return {};
    return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "stopped in a piece; the catalogue is as before");
  }

  Block* find(const CidView& cid) {
    const std::optional<uint64_t> number = numbers_.find(cid.bytes);
    return number ? &blocks_[*number] : nullptr;
  }

  Result<std::unique_ptr<StoreNode>> load(const CidView& cid, const Block* block) {
    std::vector<uint8_t> data(cid.multihash.digest.begin(), cid.multihash.digest.end());
    if (!cid.is_identity()) {
      PIECEWORK_ASSIGN(data, sections_.read_block(block->offset_bytes, block->section_bytes));
    }
    auto node = StoreNode::open(cid.codec, std::move(data));
    if (node) return node;
    return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
                fmt::format("piece with root {}: {} at '{}': {}", sections_.root().text(), cid_text(cid.bytes),
                            printable(path_), node.error().message));
  }

  Status step() {
    PIECEWORK_TRY(check_stop());
    Frame& frame = frames_.back();
    path_.resize(frame.path_bytes);
    const std::optional<StoreLink> link = frame.node->next();
    if (!link) {
      const bool ends_file = frame.node->kind() == Kind::kFile &&
                             (frames_.size() == 1 || frames_[frames_.size() - 2].node->kind() != Kind::kFile);
      if (ends_file) PIECEWORK_TRY(flush_range(run_.take()));
      limits_.leave(frame.node->data_bytes());
      frames_.pop_back();
      return {};
    }
    limits_.count_link(path_.size());
    switch (frame.node->kind()) {
      case Kind::kFile:
        return meet_file_part(*link);
      case Kind::kDirectory:
        return meet_named(link->cid, link->name);
      case Kind::kShard:
        if (link->name.size() == frame.node->prefix_bytes()) return meet_sub_shard(*link);
        return meet_named(link->cid, link->name.substr(frame.node->prefix_bytes()));
      case Kind::kSymlink:
      case Kind::kOther:
        return meet_named(link->cid, {});
    }
    return {};
  }

  // ---- Files: ranges, in the order of the DAG ----

  Status flush_range(const std::optional<CatalogueRange>& range) {
    if (!range) return {};
    return writer_.add_range(range_content_, range_position_++, *range);
  }

  Status add_range(uint64_t file_offset, uint64_t file_bytes, const Block& block, bool is_leaf) {
    CatalogueRange range;
    range.file_offset_bytes = file_offset;
    range.file_bytes = file_bytes;
    range.car_offset_bytes = block.offset_bytes;
    range.car_bytes = range.section_bytes = block.section_bytes;
    range.leaf_bytes = is_leaf ? file_bytes : 0;
    return flush_range(run_.add(range));
  }

  Status meet_file_part(const StoreLink& link) {
    Frame& parent = frames_.back();
    const uint64_t file_offset = parent.file_offset;
    const uint64_t file_bytes = link.content_bytes.value_or(0);
    parent.file_offset += file_bytes;
    const uint64_t content_id = parent.content_id;
    Block* const block = find(link.cid);
    if (block == nullptr && link.cid.is_identity()) return {};  // its bytes are in the node above it
    if (block == nullptr) {
      return writer_.add_external(content_id, external_position_++, file_offset, file_bytes, link.cid.bytes);
    }
    const bool is_leaf = !may_have_links(link.cid.codec) || block->has_block == 0 ||
                         block->block_bytes == leaf_data_bytes(file_bytes);
    if (is_leaf || !may_go_below(*block)) return add_range(file_offset, file_bytes, *block, is_leaf);
    PIECEWORK_ASSIGN(std::unique_ptr<StoreNode> node, load(link.cid, block));
    if (node->kind() != Kind::kFile || node->content_bytes() != file_bytes) {
      return bad_child(link.cid, "a file's child is a file of the length that its parent says, and this is not");
    }
    PIECEWORK_TRY(add_range(file_offset, file_bytes, *block, node->link_count() == 0));
    const uint64_t first_offset = file_offset + node->inline_bytes();
    return push({.node = std::move(node), .content_id = content_id, .path_bytes = path_.size(),
                 .file_offset = first_offset, .has_no_paths = true});
  }

  // Inner nodes and shards that occur again are followed again, up to a limit.
  bool may_go_below(Block& block) {
    const bool is_again = block.is_walked != 0;
    block.is_walked = 1;
    return !is_again || limits_.may_repeat(block.block_bytes);
  }

  // ---- Directories ----

  Status meet_sub_shard(const StoreLink& link) {
    const Frame& parent = frames_.back();
    Block* const block = find(link.cid);
    if (block == nullptr && !link.cid.is_identity()) {
      if (parent.is_again) return {};
      return writer_.add_external(parent.content_id, external_position_++, 0, 0, link.cid.bytes);
    }
    if (block != nullptr && !may_go_below(*block)) return {};
    PIECEWORK_ASSIGN(std::unique_ptr<StoreNode> node, load(link.cid, block));
    if (node->kind() != Kind::kShard || node->prefix_bytes() != parent.node->prefix_bytes()) {
      return bad_child(link.cid, "a link of a bucket alone leads to a HAMT shard of the same fanout, and this is none");
    }
    return push({.node = std::move(node), .content_id = parent.content_id, .directory_id = parent.directory_id,
                 .path_bytes = path_.size(), .has_no_paths = parent.has_no_paths, .is_again = parent.is_again});
  }

  // The root, an entry of a directory, or what a node that is no UnixFS links to (then without a name).
  Status meet_named(const CidView& cid, std::string_view name) {
    const bool is_listed = can_be_listed(name);
    const bool is_nameless = !frames_.empty() && frames_.back().node->kind() == Kind::kOther;
    const uint64_t parent_directory = frames_.empty() ? 0 : frames_.back().directory_id;
    if (is_listed && !is_nameless) push_name(name);
    Block* const block = find(cid);
    if (block == nullptr && !cid.is_identity()) {
      if (!frames_.empty() && frames_.back().is_again && !is_listed) return {};
      return add_listed({.kind = ContentKind::kExternal, .cid = cid.bytes}, nullptr, is_listed, parent_directory, name);
    }
    if (!may_have_links(cid.codec)) return meet_leaf(cid, block, is_listed, parent_directory, name);
    if (block != nullptr && block->has_block == 0) {
      const ContentFacts facts{.size_bytes = block->leaf_bytes, .cid = cid.bytes};
      return add_listed(facts, block, is_listed, parent_directory, name);
    }
    return meet_node(cid, block, is_listed, parent_directory, name);
  }

  Status meet_leaf(const CidView& cid, Block* block, bool is_listed, uint64_t directory, std::string_view name) {
    ContentFacts facts{.kind = is_walked_codec(cid.codec) ? ContentKind::kFile : ContentKind::kOther, .cid = cid.bytes};
    facts.size_bytes = block != nullptr ? block->block_bytes : cid.multihash.digest.size();
    return add_listed(facts, block, is_listed, directory, name);
  }

  Status meet_node(const CidView& cid, Block* block, bool is_listed, uint64_t directory, std::string_view name) {
    const bool is_known = block != nullptr && block->content_plus_one > 0;
    if (is_known && (!is_listed || block->is_directory == 0 || !limits_.may_repeat(block->block_bytes))) {
      return add_listed({.cid = cid.bytes}, block, is_listed, directory, name);
    }
    PIECEWORK_ASSIGN(std::unique_ptr<StoreNode> node, load(cid, block));
    ContentFacts facts{.kind = kind_of(*node), .cid = cid.bytes};
    const bool is_directory = facts.kind == ContentKind::kDirectory;
    if (!is_directory && facts.kind != ContentKind::kOther) {
      facts.size_bytes = std::min(node->content_bytes(), WalkLimits::kFileBytesMax);
    }
    PIECEWORK_TRY(add_listed(facts, block, is_listed, directory, name));
    if (node->link_count() == 0) return {};
    Frame frame{.node = std::move(node), .content_id = last_content_, .path_bytes = path_.size()};
    frame.has_no_paths = !is_listed || facts.kind == ContentKind::kFile;
    if (is_directory && is_listed) {
      PIECEWORK_ASSIGN(frame.directory_id, writer_.directory_id(path_));
    } else {
      frame.directory_id = directory;
    }
    frame.is_again = is_known;
    if (facts.kind == ContentKind::kFile) {
      range_content_ = last_content_;
      frame.file_offset = frame.node->inline_bytes();
      PIECEWORK_TRY(add_range(0, facts.size_bytes, block != nullptr ? *block : Block(), false));
    }
    return push(std::move(frame));
  }

  // The content, where the piece has not had it yet, and its entry.
  Status add_listed(ContentFacts facts, Block* block, bool is_listed, uint64_t directory, std::string_view name) {
    if (block != nullptr) {
      facts.car_offset_bytes = block->offset_bytes;
      facts.car_bytes = block->section_bytes;
    }
    if (block != nullptr && block->content_plus_one > 0) {
      last_content_ = block->content_plus_one - 1;
    } else {
      PIECEWORK_ASSIGN(last_content_, writer_.add_content(piece_id_, facts));
      if (last_content_ >= kContentPlusOneMax) {
        return fail(
            ErrorCode::kCorrupt, ErrorSide::kSource,
            fmt::format("the catalogue is damaged: it has a content {}; rebuild it from the pieces", last_content_));
      }
      if (block != nullptr) block->content_plus_one = (last_content_ + 1) & kContentPlusOneMax;
      if (block != nullptr) block->is_directory = facts.kind == ContentKind::kDirectory;
    }
    if (!is_listed) return {};
    if (directory == 0) {
      PIECEWORK_ASSIGN(directory, writer_.directory_id({}));
    }
    return writer_.add_entry(directory, name, last_content_);
  }

  static ContentKind kind_of(const StoreNode& node) {
    switch (node.kind()) {
      case Kind::kDirectory:
      case Kind::kShard:
        return ContentKind::kDirectory;
      case Kind::kFile:
        return ContentKind::kFile;
      case Kind::kSymlink:
        return ContentKind::kSymlink;
      case Kind::kOther:
        break;
    }
    return ContentKind::kOther;
  }

  bool can_be_listed(std::string_view name) {
    if (frames_.empty()) return true;
    const Frame& parent = frames_.back();
    if (parent.has_no_paths || parent.node->kind() == Kind::kOther) return false;
    return limits_.can_be_listed(path_.size(), name.size());
  }

  void push_name(std::string_view name) {
    if (!path_.empty()) path_ += '/';
    path_ += name;
  }

  // Goes below a node, up to a limit.
  Status push(Frame frame) {
    const bool begins_file = frame.node->kind() == Kind::kFile &&
                             (frames_.empty() || frames_.back().node->kind() != Kind::kFile);
    if (limits_.enter(frames_.size(), frame.node->data_bytes(), begins_file ? frame.node->content_bytes() : 0)) {
      frames_.push_back(std::move(frame));
      return {};
    }
    return begins_file ? flush_range(run_.take()) : Status();
  }

  tl::unexpected<Error> bad_child(const CidView& cid, std::string_view what) const {
    return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
                fmt::format("piece with root {}: {} at '{}': {}", sections_.root().text(), cid_text(cid.bytes),
                            printable(path_), what));
  }

  PieceSections& sections_;
  const PieceContentsOptions& options_;
  CatalogueWriter& writer_;
  PagedVector<Block> blocks_;
  CidMap numbers_;  // of blocks_
  uint64_t block_count_ = 0;
  WalkLimits limits_{0};
  uint64_t piece_id_ = 0;
  uint64_t last_content_ = 0;
  uint64_t range_content_ = 0;
  uint64_t range_position_ = 0;  // counts through the piece
  uint64_t external_position_ = 0;
  RangeRun run_;
  std::vector<Frame> frames_;
  std::string path_;
};

}  // namespace

Result<uint64_t> add_piece_contents(PieceSections& sections, CataloguePiece facts, const PieceContentsOptions& options,
                                    CatalogueWriter& writer) {
  return ContentsWalk(sections, options, writer).run(std::move(facts));
}

}  // namespace piecework::engine
