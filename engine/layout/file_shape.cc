#include "engine/layout/file_shape.h"

#include <algorithm>

#include "engine/layout/node_lengths.h"

namespace piecework::engine {
namespace {

FileNode leaf_node(uint64_t file_bytes, const Profile& profile) {
  if (profile.raw_leaves) return {file_bytes, file_bytes, file_bytes};
  const uint64_t block_bytes = leaf_data_bytes(file_bytes);
  return {file_bytes, block_bytes, block_bytes};
}

// A node over `full_count` nodes like `full` and, where `last` is not null, that one after them.
FileNode inner_node(uint64_t full_count, const FileNode& full, const FileNode* last, uint64_t child_cid_bytes) {
  uint64_t file_bytes = full_count * full.file_bytes;
  uint64_t children_tsize = full_count * full.tsize;
  uint64_t links_bytes = full_count * pb_link_bytes(child_cid_bytes, 0, full.tsize);
  uint64_t block_sizes_bytes = full_count * (1 + varint_bytes(full.file_bytes));
  if (last != nullptr) {
    file_bytes += last->file_bytes;
    children_tsize += last->tsize;
    links_bytes += pb_link_bytes(child_cid_bytes, 0, last->tsize);
    block_sizes_bytes += 1 + varint_bytes(last->file_bytes);
  }
  const uint64_t data_bytes = 2 + 1 + varint_bytes(file_bytes) + block_sizes_bytes;
  const uint64_t block_bytes = links_bytes + pb_data_bytes(data_bytes);
  return {file_bytes, block_bytes, block_bytes + children_tsize};
}

}  // namespace

FileShape::FileShape(uint64_t file_bytes, const Profile& profile) {
  PIECEWORK_CHECK(file_bytes <= kFileBytesMax);
  const uint64_t leaf_count = std::max<uint64_t>(1, div_ceil(file_bytes, profile.chunk_bytes));
  const uint64_t last_bytes = file_bytes - (leaf_count - 1) * profile.chunk_bytes;
  // Only levels with more than one node have "full" ones; a lone leaf is its own last.
  levels_[0] = {leaf_count, leaf_count > 1 ? leaf_node(profile.chunk_bytes, profile) : FileNode{},
                leaf_node(last_bytes, profile)};
  level_count_ = 1;
  uint64_t child_cid_bytes = profile.leaf_cid_bytes();
  while (levels_[level_count_ - 1].count > 1) {
    PIECEWORK_CHECK(level_count_ < kLevelsMax);
    const Level& below = levels_[level_count_ - 1];
    const uint64_t count = div_ceil(below.count, profile.max_links);
    const uint64_t last_children = below.count - (count - 1) * profile.max_links;
    Level& level = levels_[level_count_];
    level.count = count;
    level.full = count > 1 ? inner_node(profile.max_links, below.full, nullptr, child_cid_bytes) : FileNode{};
    level.last = inner_node(last_children - 1, below.full, &below.last, child_cid_bytes);
    child_cid_bytes = profile.node_cid_bytes();
    ++level_count_;
  }
  for (size_t i = 0; i < level_count_; ++i) {
    const Level& level = levels_[i];
    const uint32_t cid_bytes = i == 0 ? profile.leaf_cid_bytes() : profile.node_cid_bytes();
    sections_bytes_ += (level.count - 1) * section_bytes(cid_bytes, level.full.block_bytes) +
                       section_bytes(cid_bytes, level.last.block_bytes);
    section_count_ += level.count;
  }
}

FileSubtree FileShape::subtree(const FileNodePlace& place, const Profile& profile) const {
  FileSubtree sum;
  uint64_t begin = place.index;
  uint64_t end = begin + 1;
  for (size_t at = place.level + 1; at-- > 0;) {
    const Level& level = levels_[at];
    end = std::min(end, level.count);
    const uint32_t cid_bytes = at == 0 ? profile.leaf_cid_bytes() : profile.node_cid_bytes();
    const uint64_t full_count = end - begin - (end == level.count ? 1 : 0);
    sum.sections_bytes += full_count * section_bytes(cid_bytes, level.full.block_bytes);
    if (end == level.count) sum.sections_bytes += section_bytes(cid_bytes, level.last.block_bytes);
    sum.section_count += end - begin;
    begin *= profile.max_links;
    end *= profile.max_links;
  }
  return sum;
}

}  // namespace piecework::engine
