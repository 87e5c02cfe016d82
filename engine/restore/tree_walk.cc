// See tree_walk.h.
#include "engine/restore/tree_walk.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/restore/verify_names.h"

namespace piecework::engine {
namespace {

TreeKind kind_of(BlockKind kind) {
  switch (kind) {
    case BlockKind::kRaw:
    case BlockKind::kFile:
      return TreeKind::kFile;
    case BlockKind::kDirectory:
    case BlockKind::kHamtShard:
      return TreeKind::kDirectory;
    case BlockKind::kSymlink:
      return TreeKind::kSymlink;
    default:
      return TreeKind::kOther;
  }
}

bool is_sub_shard(const NodeCursor& parent, const NodeLink& link) {
  return parent.kind() == BlockKind::kHamtShard && link.name.size() == parent.shape().prefix_bytes;
}

std::string_view entry_name(const NodeCursor& parent, const NodeLink& link) {
  return parent.kind() == BlockKind::kHamtShard ? link.name.substr(parent.shape().prefix_bytes) : link.name;
}

class TreeWalk {
 public:
  TreeWalk(BlockReader& reader, const TreeWalkOptions& options, TreeVisitor& visitor)
      : reader_(reader), options_(options), visitor_(visitor), stack_(reader) {}

  Status run(const Cid& root, std::string_view path) {
    path_ = path;
    const size_t slash = path_.rfind('/');
    const std::string name = slash == std::string::npos ? path_ : path_.substr(slash + 1);
    PIECEWORK_TRY(visit(root.view(), name, true));
    while (!stack_.empty()) PIECEWORK_TRY(step());
    return {};
  }

 private:
  struct Level {
    size_t path_bytes = 0;  // of the path of what holds this node
    unsigned shard_level = 0;
    bool is_sub_shard = false;
  };

  // Takes one link of the top node, or the top node off the stack.
  Status step() {
    if (options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed)) {
      return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "stopped");
    }
    Result<std::optional<NodeLink>> link = stack_.next();
    if (!link && !is_block_fault(link.error())) return tl::unexpected<Error>(std::move(link.error()));
    if (!link) {
      PIECEWORK_TRY(fault(reader_.finding(link.error(), stack_.top_cid().view(), stack_.top_place(), path_)));
      return close_top();
    }
    if (!*link) return close_top();
    const NodeCursor& parent = stack_.top();
    if (is_sub_shard(parent, **link)) return open_sub_shard(parent, **link);
    const std::string_view name = entry_name(parent, **link);
    if (options_.is_strict && !may_restore(parent, **link, name)) return std::move(strict_status_);
    const size_t parent_path_bytes = path_.size();
    if (!path_.empty()) path_ += '/';
    path_ += name;
    const size_t depth = stack_.depth();
    PIECEWORK_TRY(visit((*link)->cid, name, false));
    if (stack_.depth() == depth)
      path_.resize(parent_path_bytes);
    else
      levels_.back().path_bytes = parent_path_bytes;
    return {};
  }

  Status close_top() {
    const Level level = levels_.back();
    stack_.pop();
    levels_.pop_back();
    if (level.is_sub_shard) return {};
    path_.resize(level.path_bytes);
    --directory_count_;
    return visitor_.leave();
  }

  // Whether the entry obeys the rules of restoring; where not, strict_status_ is what came of saying so.
  bool may_restore(const NodeCursor& parent, const NodeLink& link, std::string_view name) {
    strict_status_ = {};
    if (const char* reason = unsafe_name_reason(name)) {
      strict_status_ = fault_at(name, link.cid, finding::kName, "a name that can be restored", reason);
      return false;
    }
    if (parent.kind() != BlockKind::kHamtShard) return true;
    const std::string_view prefix = link.name.substr(0, parent.shape().prefix_bytes);
    const bool is_lower = std::any_of(prefix.begin(), prefix.end(), [](char digit) { return digit >= 'a'; });
    const unsigned bucket = hamt_bucket_of_name(name, levels_.back().shard_level, parent.shape());
    if (!is_lower && hamt_bucket_of_prefix(link.name, parent.shape()) == bucket) return true;
    strict_status_ = fault_at(name, link.cid, finding::kHamtPlace,
                              fmt::format("bucket {:02X} by the name's hash", bucket), std::string(prefix));
    return false;
  }

  Status open_sub_shard(const NodeCursor& parent, const NodeLink& link) {
    const HamtShape shape = parent.shape();
    const unsigned level = levels_.back().shard_level + 1;
    const Cid cid(link.cid);
    if (options_.is_strict && std::any_of(link.name.begin(), link.name.end(), [](char digit) { return digit >= 'a'; }))
      return fault_at({}, cid.view(), finding::kHamtPlace, "upper-case bucket digits", std::string(link.name));
    Result<OpenedEntry> opened = open_entry(reader_, cid.view());
    if (!opened) return absorb(std::move(opened.error()), cid.view());
    if (!opened->node || opened->node->kind() != BlockKind::kHamtShard ||
        opened->node->shape().fanout != shape.fanout) {
      return fault_at({}, cid.view(), finding::kLink, fmt::format("a HAMT shard of fanout {}", shape.fanout),
                      "something else");
    }
    if ((level + 1) * shape.bits_per_level > 64) {
      return fault_at({}, cid.view(), finding::kLink, "HAMT levels within a hash of 64 bits",
                      fmt::format("level {} at {} bits each", level, shape.bits_per_level));
    }
    stack_.push(cid.view(), opened->place, std::move(opened->node));
    levels_.push_back({path_.size(), level, true});
    return {};
  }

  // An entry at path_.
  Status visit(const CidView& cid, std::string_view name, bool is_root) {
    Result<OpenedEntry> opened = open_entry(reader_, cid, is_root);
    if (!opened) return absorb(std::move(opened.error()), cid);
    TreeEntry entry{.path = path_, .name = name, .cid = cid, .place = opened->place, .kind = opened->kind};
    entry.depth = directory_count_;
    entry.size_bytes = opened->place.length_bytes;
    if (opened->node && opened->node->unixfs()) entry.unixfs = &*opened->node->unixfs();
    switch (opened->kind) {
      case TreeKind::kDirectory:
        return enter(entry, std::move(*opened));
      case TreeKind::kFile:
        if (opened->node) entry.size_bytes = opened->node->content_bytes();
        return visitor_.file(entry, std::move(opened->node));
      case TreeKind::kSymlink:
        entry.link_target = as_text(opened->node->inline_content());
        entry.size_bytes = entry.link_target.size();
        if (options_.is_strict && (entry.link_target.empty() || entry.link_target.find('\0') != std::string_view::npos))
          return fault_here(cid, finding::kName, "a symlink's target", "an empty one, or one with a NUL byte");
        return visitor_.symlink(entry);
      case TreeKind::kOther:
        break;
    }
    return visitor_.other(entry);
  }

  Status enter(TreeEntry& entry, OpenedEntry opened) {
    entry.size_bytes = 0;
    if (directory_count_ >= options_.depth_max) {
      return fault_here(entry.cid, finding::kLimit,
                        fmt::format("at most {} directories in directories", options_.depth_max),
                        "more; see --max-depth");
    }
    if (options_.is_strict && opened.node->kind() == BlockKind::kDirectory) {
      if (const std::optional<std::string_view> twice = repeated_name(opened.node->pb_links())) {
        return fault_here(entry.cid, finding::kName, "every name once",
                          fmt::format("two entries '{}'", printable(*twice)));
      }
    }
    PIECEWORK_ASSIGN(const bool is_wanted, visitor_.enter(entry, *opened.node));
    if (!is_wanted) return {};
    stack_.push(entry.cid, opened.place, std::move(opened.node));
    levels_.push_back({0, 0, false});
    ++directory_count_;
    return {};
  }

  // ---- Faults ----

  Status absorb(Error error, const CidView& cid) {
    if (!is_block_fault(error)) return tl::unexpected<Error>(std::move(error));
    std::optional<BlockPlace> place;
    if (error.code != ErrorCode::kNotFound) {
      Result<BlockPlace> found = reader_.find(cid);
      if (found) place = *found;
    }
    return fault(reader_.finding(error, cid, place, path_));
  }

  Status fault(VerifyFinding found) { return visitor_.fault(std::move(found)); }

  Status fault_here(const CidView& cid, const char* kind, std::string expected, std::string actual) {
    return fault({.kind = kind,
                  .path = path_,
                  .cid = cid_text(cid.bytes),
                  .expected = std::move(expected),
                  .actual = std::move(actual)});
  }
  // The same for an entry called `name` in the directory at path_.
  Status fault_at(std::string_view name, const CidView& cid, const char* kind, std::string expected,
                  std::string actual) {
    std::string path = path_;
    if (!path.empty() && !name.empty()) path += '/';
    path += name;
    return fault({.kind = kind,
                  .path = std::move(path),
                  .cid = cid_text(cid.bytes),
                  .expected = std::move(expected),
                  .actual = std::move(actual)});
  }

  BlockReader& reader_;
  const TreeWalkOptions& options_;
  TreeVisitor& visitor_;
  NodeStack stack_;
  std::vector<Level> levels_;  // one for each node on the stack
  std::string path_;
  uint64_t directory_count_ = 0;  // on the stack, without sub-shards
  Status strict_status_;
};

// The link of `node` that leads to `name`, or to the sub-shard that may hold it.
std::optional<NodeLink> find_link(NodeCursor& node, std::string_view name, unsigned level) {
  const bool is_shard = node.kind() == BlockKind::kHamtShard;
  while (const std::optional<NodeLink> link = node.next()) {
    if (!is_shard) {
      if (link->name == name) return link;
      continue;
    }
    if (hamt_bucket_of_prefix(link->name, node.shape()) != hamt_bucket_of_name(name, level, node.shape())) continue;
    if (is_sub_shard(node, *link) || entry_name(node, *link) == name) return link;
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(TreeKind kind) {
  switch (kind) {
    case TreeKind::kDirectory:
      return "directory";
    case TreeKind::kFile:
      return "file";
    case TreeKind::kSymlink:
      return "symlink";
    case TreeKind::kOther:
      break;
  }
  return "other";
}

Result<OpenedEntry> open_entry(BlockReader& reader, const CidView& cid, bool reads_leaves) {
  OpenedEntry opened;
  PIECEWORK_ASSIGN(opened.place, reader.find(cid));
  if (cid.codec == kCodecDagPb) {
    PIECEWORK_ASSIGN(opened.node, reader.open_node(cid, opened.place));
    opened.kind = kind_of(opened.node->kind());
    return opened;
  }
  if (cid.codec == kCodecRaw) opened.kind = TreeKind::kFile;
  if (reads_leaves) {
    std::vector<uint8_t> data;
    PIECEWORK_TRY(reader.read(cid, opened.place, data));
    PIECEWORK_TRY(inspect_node(cid, data));
  }
  return opened;
}

Status walk_tree(BlockReader& reader, const Cid& root, std::string_view path, const TreeWalkOptions& options,
                 TreeVisitor& visitor) {
  return TreeWalk(reader, options, visitor).run(root, path);
}

Result<std::optional<FoundEntry>> find_path(BlockReader& reader, const Cid& root, std::string_view path) {
  Cid cid = root;
  PIECEWORK_ASSIGN(OpenedEntry at, open_entry(reader, cid.view()));
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    if (name.empty()) continue;
    if (at.kind != TreeKind::kDirectory) return std::nullopt;
    for (unsigned level = 0;; ++level) {
      const HamtShape shape = at.node->shape();
      if (at.node->kind() == BlockKind::kHamtShard && (level + 1) * shape.bits_per_level > 64) return std::nullopt;
      const std::optional<NodeLink> link = find_link(*at.node, name, level);
      if (!link) return std::nullopt;
      const bool goes_on = is_sub_shard(*at.node, *link);
      cid = Cid(link->cid);
      PIECEWORK_ASSIGN(at, open_entry(reader, cid.view()));
      if (!goes_on) break;
      if (!at.node || at.node->kind() != BlockKind::kHamtShard || at.node->shape().fanout != shape.fanout) {
        return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
                    fmt::format("{}: a link of a bucket alone leads to no HAMT shard of the same fanout", cid.text()));
      }
    }
  }
  return FoundEntry{std::move(cid), at.kind};
}

bool is_parts_directory(const NodeCursor& directory) {
  constexpr size_t kPartNameBytes = 20;
  if (directory.link_count() == 0) return false;
  const size_t prefix_bytes = directory.kind() == BlockKind::kHamtShard ? directory.shape().prefix_bytes : 0;
  for (const PbLink& link : directory.pb_links()) {
    const std::string_view name = link.name.substr(std::min(prefix_bytes, link.name.size()));
    if (name.empty() && prefix_bytes > 0) continue;  // a sub-shard
    const bool is_number = name.find_first_not_of("0123456789") == std::string_view::npos;
    if (name.size() != kPartNameBytes || !is_number) return false;
  }
  return true;
}

}  // namespace piecework::engine
