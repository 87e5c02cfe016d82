// See proof_walk.h.
#include "engine/proof/proof_walk.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/restore/verify_names.h"

namespace piecework::engine {
namespace {

tl::unexpected<Error> corrupt(const ProofStep& step, std::string_view what) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
              fmt::format("{} ('{}'): {}", step.cid.text(), printable(*step.path), what));
}

tl::unexpected<Error> bad_range(const ProofStep& step, std::string_view what) {
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              fmt::format("no such range of {}: {}", step.cid.text(), what));
}

bool is_directory(const ProofNode& node) {
  return node.kind == ProofNodeKind::kDirectory || node.kind == ProofNodeKind::kHamtShard;
}

}  // namespace

ProofSplit split_block(const ProofStep& step, const ProofNode& node, uint64_t block_bytes, const ProofRange& range) {
  const bool is_content = node.kind == ProofNodeKind::kFile || node.kind == ProofNodeKind::kOther;
  const uint64_t begin_bytes = std::max(step.file_offset_bytes, range.begin_bytes);
  const uint64_t end_bytes = std::min(step.file_offset_bytes + node.content_bytes, range.end_bytes);
  if (!is_content || step.role == ProofRole::kRoute || begin_bytes >= end_bytes) return {.before_bytes = block_bytes};
  return {.before_bytes = node.content_offset_bytes + (begin_bytes - step.file_offset_bytes),
          .data_bytes = end_bytes - begin_bytes,
          .file_offset_bytes = begin_bytes};
}

Status ProofWalk::run(const ProofClaim& claim) {
  names_.clear();
  if (claim.has_path) names_ = base_;
  std::string item_path;
  for (const std::string_view name : claim.path) {
    names_.push_back(name);
    if (!item_path.empty()) item_path += '/';
    item_path += name;
  }
  paths_.clear();
  item_path_ = std::make_shared<const std::string>(std::move(item_path));
  stack_.clear();
  PIECEWORK_ASSIGN(const CidView cid, decode_cid(claim.cid));
  stack_.push_back({.cid = Cid(cid), .role = ProofRole::kRoute, .path = item_path_});
  while (!stack_.empty()) {
    const ProofStep step = std::move(stack_.back());
    stack_.pop_back();
    PIECEWORK_TRY(visit(step));
  }
  return {};
}

std::string ProofWalk::path_text() const {
  std::string text;
  for (const std::string_view name : names_) text += (text.empty() ? "" : "/") + std::string(name);
  return printable(text);
}

Status ProofWalk::visit(const ProofStep& step) {
  if (step.role != ProofRole::kRoute) {
    PIECEWORK_ASSIGN(const ProofNode node, client_.read(step));
    return visit_content(step, node);
  }
  if (step.route_index < names_.size()) return visit_route(step);
  ProofStep item = step;
  item.role = ProofRole::kEntry;
  item.is_item = true;
  stack_.push_back(std::move(item));
  return {};
}

Status ProofWalk::visit_route(const ProofStep& step) {
  PIECEWORK_ASSIGN(const ProofNode node, client_.read(step));
  const std::string_view name = names_[step.route_index];
  if (!is_directory(node) || (step.level > 0 && node.kind != ProofNodeKind::kHamtShard)) {
    return fail(ErrorCode::kNotFound, ErrorSide::kSource,
                fmt::format("'{}': no directory above '{}'", path_text(), printable(name)));
  }
  PIECEWORK_TRY(client_.accept(step, node));
  PIECEWORK_ASSIGN(const std::optional<ProofEntry> entry, find_entry(node, name, step.level));
  if (!entry) {
    return fail(ErrorCode::kNotFound, ErrorSide::kSource,
                fmt::format("'{}': no entry '{}'", path_text(), printable(name)));
  }
  ProofStep next{.cid = Cid(entry->cid), .role = ProofRole::kRoute, .path = item_path_};
  next.level = entry->is_shard ? step.level + 1 : 0;
  next.route_index = step.route_index + (entry->is_shard ? 0 : 1);
  stack_.push_back(std::move(next));
  return {};
}

Status ProofWalk::visit_content(const ProofStep& step, const ProofNode& node) {
  if (step.role == ProofRole::kFilePart) {
    if (node.kind != ProofNodeKind::kFile || node.total_bytes != step.content_bytes) {
      return corrupt(step, fmt::format("expected a part of a file of {} bytes", step.content_bytes));
    }
  }
  if (step.role == ProofRole::kShard) {
    const unsigned hash_bits_used = (step.level + 1) * node.shape.bits_per_level;
    if (node.kind != ProofNodeKind::kHamtShard || node.children.empty() || hash_bits_used > 64) {
      return corrupt(step, fmt::format("expected a shard at level {}", step.level));
    }
  }
  if (step.role == ProofRole::kEntry) {
    if (!paths_.insert(*step.path).second) return corrupt(step, "the path comes twice");
    if (range_ && (node.kind != ProofNodeKind::kFile && node.kind != ProofNodeKind::kOther)) {
      return bad_range(step, "it is no file");
    }
    if (range_ && node.total_bytes < range_->end_bytes) {
      return bad_range(step, fmt::format("it has {} bytes, the range ends at {}", node.total_bytes, range_->end_bytes));
    }
  }
  PIECEWORK_TRY(client_.accept(step, node));
  if (is_directory(node)) return push_entries(step, node);
  push_parts(step, node);
  return {};
}

Status ProofWalk::push_entries(const ProofStep& step, const ProofNode& node) {
  const size_t prefix_bytes = node.kind == ProofNodeKind::kHamtShard ? node.shape.prefix_bytes : 0;
  for (auto child = node.children.rbegin(); child != node.children.rend(); ++child) {
    const std::string_view name = child->name.substr(prefix_bytes);
    if (prefix_bytes > 0 && name.empty()) {
      stack_.push_back({.cid = Cid(child->cid), .role = ProofRole::kShard, .path = step.path, .level = step.level + 1});
      continue;
    }
    if (const char* reason = unsafe_name_reason(name)) return corrupt(step, fmt::format("a name in it: {}", reason));
    std::string path = step.path->empty() ? std::string(name) : *step.path + "/" + std::string(name);
    stack_.push_back({.cid = Cid(child->cid), .path = std::make_shared<const std::string>(std::move(path))});
  }
  return {};
}

void ProofWalk::push_parts(const ProofStep& step, const ProofNode& node) {
  if (node.kind != ProofNodeKind::kFile) return;
  const size_t first = stack_.size();
  uint64_t offset_bytes = step.file_offset_bytes + node.content_bytes;
  for (const ProofChild& child : node.children) {
    const uint64_t end_bytes = offset_bytes + child.content_bytes;
    const bool is_inside = !range_ || (offset_bytes < range_->end_bytes && end_bytes > range_->begin_bytes);
    // What is empty and was seen proves nothing more; without this a small DAG could have paths without end.
    if (is_inside && (child.content_bytes > 0 || empty_parts_.insert(Cid(child.cid)).second)) {
      stack_.push_back({.cid = Cid(child.cid),
                        .role = ProofRole::kFilePart,
                        .path = step.path,
                        .file_offset_bytes = offset_bytes,
                        .content_bytes = child.content_bytes});
    }
    offset_bytes = end_bytes;
  }
  std::reverse(stack_.begin() + static_cast<ptrdiff_t>(first), stack_.end());
}

}  // namespace piecework::engine
