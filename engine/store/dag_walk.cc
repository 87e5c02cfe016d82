#include "engine/store/dag_walk.h"

#include <fmt/format.h>

#include "engine/codec/block_links.h"
#include "engine/codec/car_block.h"
#include "engine/layout/node_lengths.h"

namespace piecework::engine {
namespace {

using Role = StoredBlock::Role;
using Kind = StoreNode::Kind;
using External = StoredBlock::External;

constexpr size_t kNameBytesMax = 255;
// Deeper and longer than any file system takes; a hostile DAG could fill memory, or a table of files, with either.
constexpr size_t kDepthMax = 10'000;
constexpr size_t kPathBytesMax = 4096;

// A node with links whose children are being walked.
struct Frame {
  std::unique_ptr<StoreNode> node;  // none while dropped
  Cid cid;
  BlockPlace place;
  uint64_t links_done = 0;
  std::string name;
  size_t path_bytes = 0;      // of the path of what is below it
  bool has_no_paths = false;  // below it nothing is listed
  unsigned level = 0;         // of a shard below its directory's root shard
};

// What a parent says about a child.
struct Expected {
  std::optional<uint64_t> content_bytes;  // of a file's child
  bool is_sub_shard = false;              // a link of a bucket alone
};

class StoredDagWalk {
 public:
  StoredDagWalk(BlockStore& store, const DagWalkOptions& options, DagVisitor& visitor)
      : store_(store), options_(options), visitor_(visitor) {}

  Status run(const Cid& root, std::string_view name) {
    VisitedBlock block{.cid = root.view(), .name = name, .is_root = true};
    PIECEWORK_TRY(meet(block, {}));
    while (!frames_.empty() && !ended_) PIECEWORK_TRY(step());
    return {};
  }

 private:
  Status step() {
    if (options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed)) {
      return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "stopped while reading the store");
    }
    Frame& frame = frames_.back();
    if (frame.node == nullptr) PIECEWORK_TRY(load_again(frame));
    const std::optional<StoreLink> link = frame.node->next();
    if (!link) {
      resident_bytes_ -= frame.node->data_bytes();
      frames_.pop_back();
      first_resident_ = std::min(first_resident_, frames_.size());
      return {};
    }
    ++frame.links_done;
    VisitedBlock block{.cid = link->cid, .tsize = link->tsize};
    const bool is_sub_shard = frame.node->kind() == Kind::kShard && link->name.size() == frame.node->prefix_bytes();
    if (has_entries(*frame.node) && !is_sub_shard) block.name = link->name.substr(frame.node->prefix_bytes());
    return meet(block, {link->content_bytes, is_sub_shard});
  }

  static bool has_entries(const StoreNode& node) {
    return node.kind() == Kind::kDirectory || node.kind() == Kind::kShard;
  }

  // A block by its link: decides what it is, tells the visitor, and goes below it.
  Status meet(VisitedBlock& block, const Expected& expected) {
    const bool has_path = can_be_listed(block);
    const bool known = visitor_.is_known(block.cid);
    if (known && !visitor_.wants_known()) return {};
    block.depth = frames_.size();
    if (options_.external != nullptr && !known) {
      PIECEWORK_TRY(options_.external->decide({block.cid, block.name, expected.content_bytes, block.depth}, block));
    }
    if (block.external == External::kNo) PIECEWORK_TRY(find_place(block));
    if (block.external != External::kNo) {
      ended_ = !visitor_.visit(block, known);
      return {};
    }
    block.is_inline = block.cid.is_identity();
    if (is_leaf(block, expected.content_bytes)) {
      PIECEWORK_TRY(check_leaf(block, expected));
      const bool is_opaque = !is_walked_codec(block.cid.codec);
      block.role = is_opaque ? Role::kOther : leaf_role(has_path);
      if (!has_path) block.name = {};
      block.is_file_data = !is_opaque;  // raw, or a leaf of a file
      block.file_bytes = block.role == Role::kFile ? block.place.length_bytes : 0;
      block.tsize = block.place.length_bytes;
      ended_ = !visitor_.visit(block, known);
      return {};
    }
    PIECEWORK_ASSIGN(std::unique_ptr<StoreNode> node, load(block.cid, block.place));
    PIECEWORK_TRY(check_child(block.cid, *node, expected));
    describe(block, *node, has_path);
    ended_ = !visitor_.visit(block, known);
    if (known || ended_ || node->link_count() == 0) return {};
    if (frames_.size() == kDepthMax) {
      return fail(ErrorCode::kUnsupported, ErrorSide::kSource,
                  fmt::format("{}: the DAG is more than {} nodes deep", cid_text(block.cid.bytes), kDepthMax));
    }
    Frame frame{.node = std::move(node), .cid = Cid(block.cid), .place = block.place, .name = std::string(block.name)};
    frame.path_bytes = (frames_.empty() ? 0 : frames_.back().path_bytes + 1) + block.name.size();
    frame.has_no_paths = !has_path || block.role == Role::kOther;
    frame.level = expected.is_sub_shard ? frames_.back().level + 1 : 0;
    resident_bytes_ += frame.node->data_bytes();
    frames_.push_back(std::move(frame));
    drop_lowest();
    return {};
  }

  bool can_be_listed(const VisitedBlock& block) const {
    if (block.name.size() > kNameBytesMax) return false;
    return frames_.empty() ||
           (!frames_.back().has_no_paths && frames_.back().path_bytes + 1 + block.name.size() <= kPathBytesMax);
  }

  Role leaf_role(bool has_path) const {
    if (!has_path) return Role::kOther;
    return !frames_.empty() && frames_.back().node->kind() == Kind::kFile ? Role::kFilePart : Role::kFile;
  }

  void describe(VisitedBlock& block, const StoreNode& node, bool has_path) const {
    block.child_count = static_cast<uint32_t>(node.link_count());
    block.tsize = block.cid.codec == kCodecDagPb ? node.tsize() : node.data_bytes();
    if (!has_path) {
      block.name = {};
      return;
    }
    const bool below_shard = !frames_.empty() && frames_.back().node->kind() == Kind::kShard;
    switch (node.kind()) {
      case Kind::kDirectory:
        block.role = Role::kDirectory;
        break;
      case Kind::kShard:
        block.role = below_shard && block.name.empty() ? Role::kShard : Role::kDirectory;
        break;
      case Kind::kFile:
        block.role = leaf_role(true);
        block.is_file_data = node.link_count() == 0;
        break;
      case Kind::kSymlink:
        block.role = Role::kSymlink;
        break;
      case Kind::kOther:
        break;
    }
    if (block.role == Role::kFile || block.role == Role::kSymlink) block.file_bytes = node.content_bytes();
  }

  bool is_leaf(VisitedBlock& block, std::optional<uint64_t> content_bytes) const {
    if (!may_have_links(block.cid.codec)) return true;
    if (block.cid.codec != kCodecDagPb || !content_bytes) return false;
    block.is_unread = block.place.length_bytes == leaf_data_bytes(*content_bytes);
    return block.is_unread;
  }

  // The rules of verify between a parent and its child.
  Status check_child(const CidView& cid, const StoreNode& node, const Expected& expected) const {
    if (expected.content_bytes && node.kind() != Kind::kFile) {
      return bad_link(cid, "a file's child is a file or raw block, and this is not");
    }
    if (expected.content_bytes && node.content_bytes() != *expected.content_bytes) {
      return bad_link(cid, fmt::format("it has {} bytes of file, its parent says {}", node.content_bytes(),
                                       *expected.content_bytes));
    }
    if (!expected.is_sub_shard) return {};
    const Frame& parent = frames_.back();
    const unsigned bits = parent.node->shape().bits_per_level;
    if (node.kind() != Kind::kShard || node.shape().bits_per_level != bits) {
      return bad_link(cid, "a link of a bucket alone leads to a HAMT shard of the same fanout, and this is none");
    }
    if ((parent.level + 2) * bits <= 64) return {};
    return bad_link(
        cid, fmt::format("level {} of a HAMT at {} bits each does not fit a hash of 64 bits", parent.level + 1, bits));
  }

  Status check_leaf(const VisitedBlock& block, const Expected& expected) const {
    if (expected.is_sub_shard) return bad_link(block.cid, "a link of a bucket alone leads to a HAMT shard");
    if (!expected.content_bytes || block.is_unread) return {};
    if (block.cid.codec != kCodecRaw) {
      return bad_link(block.cid, "a file's child is a file or raw block, and this is not");
    }
    if (block.place.length_bytes == *expected.content_bytes) return {};
    return bad_link(block.cid, fmt::format("it has {} bytes of file, its parent says {}", block.place.length_bytes,
                                           *expected.content_bytes));
  }

  tl::unexpected<Error> bad_link(const CidView& cid, std::string_view what) const {
    return fail(ErrorCode::kCorrupt, ErrorSide::kSource, fmt::format("{}: {}", here(cid, {}), what));
  }

  Status find_place(VisitedBlock& block) {
    const CidView& cid = block.cid;
    if (cid.is_identity()) {
      block.place = {.length_bytes = cid.multihash.digest.size()};
      return {};
    }
    PIECEWORK_ASSIGN(const std::optional<BlockPlace> place, store_.find(cid));
    if (!place && options_.allows_missing) {
      block.external = External::kMissing;
      return {};
    }
    if (!place) return missing(cid);
    block.place = *place;
    if (place->length_bytes <= kStoreBlockBytesMax) return {};
    return fail(ErrorCode::kUnsupported, ErrorSide::kSource,
                fmt::format("{}: the block has {} bytes, at most {} are packed", here(cid, {}), place->length_bytes,
                            kStoreBlockBytesMax));
  }

  tl::unexpected<Error> missing(const CidView& cid) const {
    Error error = store_.missing(cid);
    error.code = ErrorCode::kCorrupt;  // of the DAG, whatever it is of the block
    error.side = ErrorSide::kSource;
    error.message = fmt::format("{}: the block is missing: {}", here(cid, {}), error.message);
    return tl::unexpected<Error>(std::move(error));
  }

  // Reads a node, checks that it is what its CID names, and takes it apart.
  Result<std::unique_ptr<StoreNode>> load(const CidView& cid, const BlockPlace& place) {
    std::vector<uint8_t> data(cid.multihash.digest.begin(), cid.multihash.digest.end());
    if (!cid.is_identity()) PIECEWORK_TRY(store_.read(cid, place, data));
    Status checked = check_block_digest(cid, data);
    if (checked) {
      auto node = StoreNode::open(cid.codec, std::move(data));
      if (node) return node;
      checked = tl::unexpected<Error>(std::move(node).error());
    }
    Error error = std::move(checked).error();
    error.message = fmt::format("{} in {}: {}", here(cid, {}), printable(store_.describe(cid, place)), error.message);
    return tl::unexpected<Error>(std::move(error));
  }

  Status load_again(Frame& frame) {
    PIECEWORK_ASSIGN(frame.node, load(frame.cid.view(), frame.place));
    for (uint64_t i = 0; i < frame.links_done; ++i) frame.node->next();
    resident_bytes_ += frame.node->data_bytes();
    first_resident_ = std::min(first_resident_, frames_.size() - 1);
    return {};
  }

  void drop_lowest() {
    while (resident_bytes_ > options_.resident_bytes_max && first_resident_ + 1 < frames_.size()) {
      Frame& lowest = frames_[first_resident_++];
      if (lowest.node == nullptr) continue;
      resident_bytes_ -= lowest.node->data_bytes();
      lowest.node.reset();
    }
  }

  // "<CID> at <path>", for messages.
  std::string here(const CidView& cid, std::string_view name) const {
    std::string path;
    const auto append = [&path](std::string_view part) {
      if (part.empty()) return;
      if (!path.empty()) path += '/';
      path += part;
    };
    for (const Frame& frame : frames_) append(frame.name);
    append(name);
    return path.empty() ? cid_text(cid.bytes) : fmt::format("{} at '{}'", cid_text(cid.bytes), printable(path));
  }

  BlockStore& store_;
  const DagWalkOptions& options_;
  DagVisitor& visitor_;
  std::vector<Frame> frames_;
  size_t resident_bytes_ = 0;
  size_t first_resident_ = 0;  // no frame below has its bytes
  bool ended_ = false;
};

// Takes the Tsize of the root and ends the walk.
class RootVisitor : public DagVisitor {
 public:
  bool is_known(const CidView&) override { return false; }
  bool wants_known() const override { return false; }
  bool visit(const VisitedBlock& block, bool) override {
    tsize = block.tsize;
    return false;
  }
  uint64_t tsize = 0;
};

}  // namespace

Status walk_stored_dag(BlockStore& store, const Cid& root, std::string_view name, const DagWalkOptions& options,
                       DagVisitor& visitor) {
  return StoredDagWalk(store, options, visitor).run(root, name);
}

Result<uint64_t> stored_dag_tsize(BlockStore& store, const Cid& root, const DagWalkOptions& options) {
  RootVisitor visitor;
  PIECEWORK_TRY(walk_stored_dag(store, root, {}, options, visitor));
  return visitor.tsize;
}

}  // namespace piecework::engine
