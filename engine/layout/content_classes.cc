#include "engine/layout/content_classes.h"

#include <algorithm>

#include "kernels/base/endian.h"
#include "kernels/base/units.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

Digest32 tagged_key(char tag, ByteSpan bytes) {
  kernels::Sha256 hasher;
  hasher.append(as_bytes({&tag, 1}));
  hasher.append(bytes);
  return hasher.finish();
}

}  // namespace

ClassId ClassTable::intern(const Digest32& key) {
  return ids_.insert({key, static_cast<ClassId>(ids_.size() + 1)}).first.id;
}

ContentClasses::ContentClasses(Dedup dedup, PageSource* pages)
    : dedup_(dedup),
      table_(pages),
      empty_file_class_(table_.intern(tagged_key('e', {}))),
      file_class_(pages),
      content_index_(pages),
      contents_(pages),
      chunk_range_(pages) {}

const Digest32* ContentClasses::content_digest(EntryIndex file) const {
  if (file >= content_index_.size() || content_index_[file] == 0) return nullptr;
  return &contents_[content_index_[file] - 1];
}

std::span<const ClassId> ContentClasses::chunk_classes(EntryIndex file) const {
  if (file >= chunk_range_.size()) return {};
  const ChunkRange& range = chunk_range_[file];
  return {chunks_.data() + range.begin, range.count};
}

void ContentClasses::extend_to(EntryIndex file) {
  while (file_class_.size() <= file) {
    file_class_.push_back(kUnique);
    content_index_.push_back(0);
    if (dedup_ == Dedup::kBlocks) chunk_range_.push_back({});
  }
}

void ContentClasses::set_file(EntryIndex file, ClassId file_class, const Digest32* content,
                              std::span<const ClassId> chunks) {
  PIECEWORK_CHECK(chunks.empty() || dedup_ == Dedup::kBlocks);
  extend_to(file);
  file_class_[file] = file_class;
  if (content != nullptr) {
    contents_.push_back(*content);
    content_index_[file] = static_cast<uint32_t>(contents_.size());
  }
  if (!chunks.empty()) {
    chunk_range_[file] = {chunks_.size(), chunks.size()};
    chunks_.insert(chunks_.end(), chunks.begin(), chunks.end());
  }
}

Digest32 symlink_key(std::string_view target) { return tagged_key('l', as_bytes(target)); }
Digest32 content_key(const Digest32& content) { return tagged_key('c', content); }

Digest32 file_node_key(std::span<const ClassId> children) {
  return tagged_key('n', {reinterpret_cast<const uint8_t*>(children.data()), children.size_bytes()});
}

std::vector<std::vector<ClassId>> file_node_classes(ClassTable& table, std::span<const ClassId> chunks,
                                                    uint32_t max_links) {
  std::vector<std::vector<ClassId>> levels;
  std::span<const ClassId> below = chunks;
  while (below.size() > 1) {
    std::vector<ClassId> level;
    level.reserve(div_ceil(below.size(), max_links));
    for (size_t begin = 0; begin < below.size(); begin += max_links) {
      const std::span<const ClassId> children = below.subspan(begin, std::min<size_t>(max_links, below.size() - begin));
      const bool classed = std::find(children.begin(), children.end(), kUnique) == children.end();
      level.push_back(classed ? table.intern(file_node_key(children)) : kUnique);
    }
    below = levels.emplace_back(std::move(level));
  }
  return levels;
}

}  // namespace piecework::engine
