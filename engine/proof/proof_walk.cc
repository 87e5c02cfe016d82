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

std::string_view entry_name(const ProofNode& node, const ProofChild& child) {
  return child.name.substr(node.kind == ProofNodeKind::kHamtShard ? node.shape.prefix_bytes : 0);
}

std::shared_ptr<const std::string> path_below(const std::string& path, std::string_view name) {
  return std::make_shared<const std::string>(path.empty() ? std::string(name) : path + "/" + std::string(name));
}

}  // namespace

ProofSplit split_block(const ProofStep& step, const ProofNode& node, uint64_t block_bytes, const ProofRange& range) {
  const bool is_content = node.kind == ProofNodeKind::kFile || node.kind == ProofNodeKind::kOther;
  const uint64_t begin_bytes = std::max(step.file_offset_bytes, range.begin_bytes);
  const uint64_t end_bytes = std::min(step.file_offset_bytes + node.content_bytes, range.end_bytes);
  if (!is_content || begin_bytes >= end_bytes) return {.before_bytes = block_bytes};
  return {.before_bytes = node.content_offset_bytes + (begin_bytes - step.file_offset_bytes),
          .data_bytes = end_bytes - begin_bytes,
          .data_offset_bytes = begin_bytes - range.begin_bytes};
}

Status ProofWalk::run(const ProofClaim& claim) {
  names_.clear();
  stack_.clear();
  PIECEWORK_ASSIGN(const CidView cid, decode_cid(claim.cid));
  stack_.push_back({.cid = Cid(cid), .path = std::make_shared<const std::string>(), .is_item = claim.route.empty()});
  while (!stack_.empty()) {
    ProofStep step = std::move(stack_.back());
    stack_.pop_back();
    PIECEWORK_TRY(visit(std::move(step), claim));
  }
  return {};
}

Status ProofWalk::visit(ProofStep step, const ProofClaim& claim) {
  if (step.depth > kProofDepthMax) {
    return corrupt(step, fmt::format("more than {} blocks below each other", kProofDepthMax));
  }
  PIECEWORK_ASSIGN(const ProofNode node, client_.visit(step));
  PIECEWORK_TRY(check_role(step, node));
  if (step.is_item) PIECEWORK_TRY(check_item(step));
  const bool is_on_route = step.route_index < claim.route.size();
  if (step.role == ProofRole::kEntry && (!is_on_route || names_.size() >= head_.base_name_count)) {
    if (head_.range) PIECEWORK_TRY(check_range(step, node));
    PIECEWORK_TRY(client_.accept_entry(step, node, names_));
  }
  if (is_on_route) {
    return follow(step, node, claim.route[step.route_index], step.route_index + 1 == claim.route.size());
  }
  if (is_directory(node)) return push_entries(step, node);
  push_parts(step, node);
  return {};
}

Status ProofWalk::check_role(const ProofStep& step, const ProofNode& node) const {
  if (step.role == ProofRole::kShard && node.kind != ProofNodeKind::kHamtShard) {
    return corrupt(step, "expected a shard of a directory");
  }
  const bool is_part = node.kind == ProofNodeKind::kFile && node.total_bytes == step.content_bytes;
  if (step.role == ProofRole::kFilePart && !is_part) {
    return corrupt(step, fmt::format("expected a part of a file of {} bytes", step.content_bytes));
  }
  return {};
}

// All items stand below one base.
Status ProofWalk::check_item(const ProofStep& step) {
  if (names_.size() < head_.base_name_count) return corrupt(step, "the item stands above the data");
  const auto end = names_.begin() + static_cast<ptrdiff_t>(head_.base_name_count);
  if (!has_base_) base_.assign(names_.begin(), end);
  has_base_ = true;
  return std::equal(names_.begin(), end, base_.begin(), base_.end()) ? Status() : corrupt(step, "another base");
}

Status ProofWalk::check_range(const ProofStep& step, const ProofNode& node) const {
  if (node.kind != ProofNodeKind::kFile && node.kind != ProofNodeKind::kOther) return bad_range(step, "it is no file");
  if (node.total_bytes >= head_.range->end_bytes) return {};
  return bad_range(step, fmt::format("it has {} bytes, the range ends at {}", node.total_bytes,
                                     head_.range->end_bytes));
}

Status ProofWalk::follow(const ProofStep& step, const ProofNode& node, uint64_t link, bool is_last) {
  if (!is_directory(node) || link >= node.children.size()) {
    return fail(ErrorCode::kNotFound, ErrorSide::kSource,
                fmt::format("{}: no link {} of a directory", step.cid.text(), link));
  }
  const ProofChild& child = node.children[static_cast<size_t>(link)];
  ProofStep next{.cid = Cid(child.cid),
                 .path = step.path,
                 .route_index = step.route_index + 1,
                 .depth = step.depth + 1};
  const std::string_view name = entry_name(node, child);
  if (node.kind == ProofNodeKind::kHamtShard && name.empty()) {
    if (is_last) return corrupt(step, "the route ends inside a directory");  // what is below is not all of it
    next.role = ProofRole::kShard;
  } else {
    if (const char* reason = unsafe_name_reason(name)) return corrupt(step, fmt::format("a name in it: {}", reason));
    names_.emplace_back(name);
    if (names_.size() > head_.base_name_count) next.path = path_below(*step.path, name);
    next.is_item = is_last;
  }
  stack_.push_back(std::move(next));
  return {};
}

Status ProofWalk::push_entries(const ProofStep& step, const ProofNode& node) {
  for (auto child = node.children.rbegin(); child != node.children.rend(); ++child) {
    ProofStep next{.cid = Cid(child->cid),
                   .path = step.path,
                   .route_index = step.route_index,
                   .depth = step.depth + 1};
    const std::string_view name = entry_name(node, *child);
    if (node.kind == ProofNodeKind::kHamtShard && name.empty()) {
      next.role = ProofRole::kShard;
    } else {
      if (const char* reason = unsafe_name_reason(name)) return corrupt(step, fmt::format("a name in it: {}", reason));
      next.path = path_below(*step.path, name);
    }
    stack_.push_back(std::move(next));
  }
  return {};
}

void ProofWalk::push_parts(const ProofStep& step, const ProofNode& node) {
  if (node.kind != ProofNodeKind::kFile) return;
  const size_t first = stack_.size();
  uint64_t offset_bytes = step.file_offset_bytes + node.content_bytes;
  for (const ProofChild& child : node.children) {
    const uint64_t end_bytes = offset_bytes + child.content_bytes;
    const bool is_inside =
        !head_.range || (offset_bytes < head_.range->end_bytes && end_bytes > head_.range->begin_bytes);
    if (is_inside) {
      stack_.push_back({.cid = Cid(child.cid),
                        .role = ProofRole::kFilePart,
                        .path = step.path,
                        .file_offset_bytes = offset_bytes,
                        .content_bytes = child.content_bytes,
                        .route_index = step.route_index,
                        .depth = step.depth + 1});
    }
    offset_bytes = end_bytes;
  }
  std::reverse(stack_.begin() + static_cast<ptrdiff_t>(first), stack_.end());
}

}  // namespace piecework::engine
