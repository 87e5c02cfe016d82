// The walk with its explicit stack; see verify_dag.h.
#include "engine/restore/verify_dag.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "engine/codec/car_block.h"
#include "engine/restore/verify_names.h"
#include "engine/restore/verify_node.h"
#include "kernels/base/check.h"

namespace piecework::engine {
namespace {

// A node with links whose children are being walked.
struct Frame {
  std::unique_ptr<NodeCursor> cursor;  // none while dropped
  Cid cid;
  uint64_t offset_bytes = 0;
  uint64_t links_done = 0;
  BlockKind kind = BlockKind::kOtherNode;
  HamtShape shape;
  unsigned level = 0;  // of a shard below the directory's root shard
  std::string name;    // its part of the path; empty for chunks, sub-shards and roots
};

// What is known of a child: from the index, or from the bytes of an identity CID.
struct Child {
  NodeFacts facts;
  BlockEntry* entry = nullptr;  // none for identity CIDs without a section
};

std::string_view kind_name(BlockKind kind) {
  switch (kind) {
    case BlockKind::kRaw:
      return "raw block";
    case BlockKind::kFile:
      return "file";
    case BlockKind::kDirectory:
      return "directory";
    case BlockKind::kHamtShard:
      return "HAMT shard";
    case BlockKind::kSymlink:
      return "symlink";
    case BlockKind::kOtherNode:
      return "node that is not UnixFS";
    case BlockKind::kLinkedData:
      return "dag-cbor or dag-json block";
    case BlockKind::kUnknownCodec:
      return "block of an unknown codec";
    case BlockKind::kBroken:
      break;
  }
  return "broken block";
}

bool is_sub_shard(const Frame& parent, const NodeLink& link) {
  return parent.kind == BlockKind::kHamtShard && link.name.size() == parent.shape.prefix_bytes;
}

// The path component of a child.
std::string_view entry_name(const Frame& parent, const NodeLink& link) {
  if (parent.kind == BlockKind::kHamtShard) return link.name.substr(parent.shape.prefix_bytes);
  return link.name;
}

class DagWalk {
 public:
  DagWalk(const DagWalkInput& input, VerifyReport& report) : input_(input), report_(report) {
    locate(report_.problems, located_problems_);
    locate(report_.warnings, located_warnings_);
  }

  Result<DagWalkResult> run() {
    for (const Cid& root : *input_.roots) {
      PIECEWORK_TRY(visit_root(root.view()));
      while (!frames_.empty()) PIECEWORK_TRY(step());
    }
    return result_;
  }

 private:
  using Located = std::unordered_multimap<uint64_t, size_t>;  // offset in the CAR -> index of a finding without path

  static void locate(const Findings& findings, Located& located) {
    for (size_t i = 0; i < findings.kept().size(); ++i) {
      if (findings.kept()[i].offset_bytes) located.emplace(*findings.kept()[i].offset_bytes, i);
    }
  }

  Status visit_root(const CidView& cid) {
    const NodeLink link{cid, {}, {}};
    PIECEWORK_ASSIGN(const std::optional<Child> child, resolve(link, finding::kMissingRoot));
    return child ? descend(link, *child, 0) : Status{};
  }

  // Takes one link of the top node, or the top node off the stack.
  Status step() {
    Frame& frame = frames_.back();
    if (!frame.cursor) PIECEWORK_TRY(load(frame));
    const std::optional<NodeLink> link = frame.cursor->next();
    if (!link) {
      resident_bytes_ -= frame.cursor->data_bytes();
      frames_.pop_back();
      first_resident_ = std::min(first_resident_, frames_.size());
      return {};
    }
    ++frame.links_done;
    PIECEWORK_ASSIGN(const std::optional<Child> child, resolve(*link, finding::kMissingBlock));
    check_name(frame, *link);
    if (!child || !check_child(frame, *link, child->facts)) return {};
    return descend(*link, *child, is_sub_shard(frame, *link) ? frame.level + 1 : 0);
  }

  // nullopt where the block is not there, or is no block; that is a finding then.
  Result<std::optional<Child>> resolve(const NodeLink& link, const char* missing_kind) {
    if (link.cid.is_identity()) {
      Result<NodeFacts> facts = inspect_node(link.cid, link.cid.multihash.digest);
      // `ipfs dag export` writes a section for it all the same.
      if (facts) return Child{*facts, input_.index->find(block_key(link.cid.bytes))};
      add_problem(finding::kNode, link, "a well-formed node", facts.error().message);
      return std::nullopt;
    }
    BlockEntry* entry = input_.index->find(block_key(link.cid.bytes));
    if (entry == nullptr) {
      std::string where = input_.where_external ? input_.where_external(link.cid) : std::string();
      if (where.empty())
        add_problem(missing_kind, link, "in the CAR", "not there");
      else
        report_.external.add(make(finding::kExternal, link, "in the CAR, or elsewhere as the receipt says", where));
      return std::nullopt;
    }
    NodeFacts facts;
    facts.kind = entry->block_kind();
    facts.has_links = entry->has_links != 0;
    facts.content_bytes = entry->content_bytes;
    facts.fanout_bits = static_cast<unsigned>(entry->fanout_bits);
    return Child{facts, entry};
  }

  // Marks a child as visited, and puts it on the stack where it has children of its own. Each block once.
  Status descend(const NodeLink& link, const Child& child, unsigned level) {
    uint64_t offset_bytes = 0;
    if (child.entry != nullptr) {
      if (child.entry->is_visited != 0) return {};
      child.entry->is_visited = 1;
      offset_bytes = child.entry->offset_bytes;
      result_.is_in_order = result_.is_in_order && (result_.visited_count == 0 || offset_bytes > last_offset_bytes_);
      last_offset_bytes_ = offset_bytes;
      ++result_.visited_count;
      fill_paths(link, offset_bytes);
    }
    if (!child.facts.has_links) return {};
    PIECEWORK_TRY(input_.check_stop());
    Frame frame;
    frame.cid = Cid(link.cid);
    frame.offset_bytes = offset_bytes;
    frame.level = level;
    if (!frames_.empty()) frame.name = entry_name(frames_.back(), link);
    frames_.push_back(std::move(frame));
    PIECEWORK_TRY(load(frames_.back()));
    check_names(frames_.back());
    drop_lowest();
    return {};
  }

  // Reads a node's bytes and goes on behind the links that are done.
  Status load(Frame& frame) {
    const CidView cid = frame.cid.view();
    std::vector<uint8_t> data;
    if (cid.is_identity()) {
      data.assign(cid.multihash.digest.begin(), cid.multihash.digest.end());
    } else {
      PIECEWORK_ASSIGN(data, input_.read_section(frame.offset_bytes));
      const ByteSpan expected = cid.bytes;
      if (data.size() < expected.size() || !std::equal(expected.begin(), expected.end(), data.begin())) {
        return fail(
            ErrorCode::kChanged, ErrorSide::kSource,
            fmt::format("{} changed while it was checked (at byte {})", printable(input_.piece), frame.offset_bytes));
      }
      data.erase(data.begin(), data.begin() + static_cast<ptrdiff_t>(expected.size()));
    }
    PIECEWORK_ASSIGN(frame.cursor, NodeCursor::open(cid.codec, std::move(data)));
    frame.cursor->skip(frame.links_done);
    frame.kind = frame.cursor->kind();
    frame.shape = frame.cursor->shape();
    resident_bytes_ += frame.cursor->data_bytes();
    first_resident_ = std::min(first_resident_, static_cast<size_t>(&frame - frames_.data()));
    return {};
  }

  void drop_lowest() {
    while (resident_bytes_ > input_.resident_bytes_max && first_resident_ + 1 < frames_.size()) {
      Frame& lowest = frames_[first_resident_++];
      if (!lowest.cursor) continue;
      resident_bytes_ -= lowest.cursor->data_bytes();
      lowest.cursor.reset();
    }
  }

  // ---- Rules between a parent and its child; false: do not go down ----

  bool check_child(const Frame& parent, const NodeLink& link, const NodeFacts& child) {
    if (child.kind == BlockKind::kBroken) return true;  // reported by itself
    if (parent.kind == BlockKind::kFile) return check_file_child(link, child);
    if (is_sub_shard(parent, link)) return check_sub_shard(parent, link, child);
    return true;
  }

  bool check_file_child(const NodeLink& link, const NodeFacts& child) {
    if (child.kind != BlockKind::kFile && child.kind != BlockKind::kRaw) {
      add_problem(finding::kLink, link, "a file's child is a file or raw block", kind_name(child.kind));
      return true;
    }
    if (child.content_bytes != *link.content_bytes) {
      add_problem(finding::kLink, link, fmt::format("blocksize {}", *link.content_bytes),
                  fmt::format("{} bytes of file", child.content_bytes));
    }
    return true;
  }

  bool check_sub_shard(const Frame& parent, const NodeLink& link, const NodeFacts& child) {
    if (child.kind != BlockKind::kHamtShard) {
      add_problem(finding::kLink, link, "a link of a bucket alone leads to a HAMT shard", kind_name(child.kind));
      return true;
    }
    if (child.fanout_bits != parent.shape.bits_per_level) {
      add_problem(finding::kLink, link, fmt::format("fanout {} as in its parent", parent.shape.fanout),
                  fmt::format("fanout {}", 1u << child.fanout_bits));
      return false;  // levels would no longer have the same number of bits
    }
    if ((parent.level + 2) * parent.shape.bits_per_level > 64) {
      add_problem(finding::kLink, link, "HAMT levels within a hash of 64 bits",
                  fmt::format("level {} at {} bits each", parent.level + 1, parent.shape.bits_per_level));
      return false;
    }
    return true;
  }

  // Rules of restoring: findings of them are warnings, the blocks are good.
  void check_name(const Frame& parent, const NodeLink& link) {
    if (parent.kind != BlockKind::kDirectory && parent.kind != BlockKind::kHamtShard) return;
    if (parent.kind == BlockKind::kHamtShard) check_place(parent, link);
    if (is_sub_shard(parent, link)) return;
    if (const char* reason = unsafe_name_reason(entry_name(parent, link))) {
      add_warning(finding::kName, link, "a name that can be restored", reason);
    }
  }

  void check_place(const Frame& shard, const NodeLink& link) {
    const std::string_view prefix = link.name.substr(0, shard.shape.prefix_bytes);
    if (std::any_of(prefix.begin(), prefix.end(), [](char digit) { return digit >= 'a'; })) {
      add_warning(finding::kHamtPlace, link, "upper-case bucket digits", prefix);
    }
    if (is_sub_shard(shard, link)) return;
    const unsigned bucket = hamt_bucket_of_name(entry_name(shard, link), shard.level, shard.shape);
    if (hamt_bucket_of_prefix(link.name, shard.shape) != bucket) {
      add_warning(finding::kHamtPlace, link, fmt::format("bucket {:02X} by the name's hash", bucket), prefix);
    }
  }

  void check_names(const Frame& directory) {
    if (directory.kind != BlockKind::kDirectory) return;
    const std::optional<std::string_view> twice = repeated_name(directory.cursor->pb_links());
    if (!twice) return;
    VerifyFinding found{.kind = finding::kName, .piece = input_.piece, .path = path_of(*twice)};
    found.cid = directory.cid.text();
    found.expected = "every name once";
    found.actual = "two entries of this name";
    report_.warnings.add(std::move(found));
  }

  // ---- Findings ----

  // The path of an entry called `name` in the top node.
  std::string path_of(std::string_view name) const {
    std::string path;
    const auto append = [&path](std::string_view part) {
      if (part.empty()) return;
      if (!path.empty()) path += '/';
      path += part;
    };
    for (const Frame& frame : frames_) append(frame.name);
    append(name);
    return path;
  }

  std::string path_of(const NodeLink& link) const {
    return frames_.empty() ? std::string() : path_of(entry_name(frames_.back(), link));
  }

  VerifyFinding make(const char* kind, const NodeLink& link, std::string_view expected, std::string_view actual) const {
    VerifyFinding found{.kind = kind, .piece = input_.piece, .path = path_of(link)};
    found.cid = cid_text(link.cid.bytes);
    if (!frames_.empty() && !frames_.back().cid.view().is_identity()) found.offset_bytes = frames_.back().offset_bytes;
    found.expected = expected;
    found.actual = actual;
    return found;
  }

  void add_problem(const char* kind, const NodeLink& link, std::string_view expected, std::string_view actual) {
    report_.problems.add(make(kind, link, expected, actual));
  }
  void add_warning(const char* kind, const NodeLink& link, std::string_view expected, std::string_view actual) {
    report_.warnings.add(make(kind, link, expected, actual));
  }

  // Findings of the first pass know an offset; here is the path to it.
  void fill_paths(const NodeLink& link, uint64_t offset_bytes) {
    fill_paths(link, offset_bytes, located_problems_, report_.problems);
    fill_paths(link, offset_bytes, located_warnings_, report_.warnings);
  }
  void fill_paths(const NodeLink& link, uint64_t offset_bytes, const Located& located, Findings& findings) {
    if (located.empty()) return;
    const auto [begin, end] = located.equal_range(offset_bytes);
    for (auto found = begin; found != end; ++found) findings.kept()[found->second].path = path_of(link);
  }

  const DagWalkInput& input_;
  VerifyReport& report_;
  DagWalkResult result_;
  std::vector<Frame> frames_;
  size_t resident_bytes_ = 0;
  size_t first_resident_ = 0;  // no frame below has its bytes
  uint64_t last_offset_bytes_ = 0;
  Located located_problems_;
  Located located_warnings_;
};

}  // namespace

Result<DagWalkResult> walk_dag(const DagWalkInput& input, VerifyReport& report) { return DagWalk(input, report).run(); }

}  // namespace piecework::engine
