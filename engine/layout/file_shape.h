// The DAG of a file from its size alone: boxo's balanced layout (formats.md 4).
//
// Leaves are packed in groups of `max_links`, the groups again, until one node is left; a lone trailing leaf keeps its
// whole chain of one-link parents. On each level all nodes but the last are alike, so a file of any size takes
// O(levels) to describe. A file of one chunk is its leaf.
#pragma once

#include <array>
#include <cstdint>

#include "engine/layout/profile.h"

namespace piecework::engine {

// Place of a node: level 0 holds the leaves, `index` counts from the left.
struct FileNodePlace {
  size_t level = 0;
  uint64_t index = 0;
  friend bool operator==(const FileNodePlace&, const FileNodePlace&) = default;
};

// What a node and everything below it come to in a CAR, nothing deduplicated.
struct FileSubtree {
  uint64_t sections_bytes = 0;
  uint64_t section_count = 0;
};

// Lengths of one node of a file's DAG.
struct FileNode {
  uint64_t file_bytes;   // file bytes below this node (its blocksize in the parent)
  uint64_t block_bytes;  // length of the node's own block
  uint64_t tsize;        // block_bytes plus those of all nodes below, never deduplicated
};

class FileShape {
 public:
  // 2^46 bytes (64 TiB) in chunks of one byte and two links a node stay below this.
  static constexpr size_t kLevelsMax = 48;
  static constexpr uint64_t kFileBytesMax = uint64_t{1} << 46;

  // REQUIRES: file_bytes <= kFileBytesMax, a profile that passed check_profile.
  FileShape(uint64_t file_bytes, const Profile& profile);

  size_t level_count() const { return level_count_; }
  uint64_t node_count(size_t level) const { return levels_[level].count; }
  const FileNode& node(size_t level, uint64_t index) const {
    return index + 1 == levels_[level].count ? levels_[level].last : levels_[level].full;
  }
  const FileNode& root() const { return levels_[level_count_ - 1].last; }
  FileNodePlace root_place() const { return {level_count_ - 1, 0}; }
  bool has(const FileNodePlace& place) const {
    return place.level < level_count_ && place.index < node_count(place.level);
  }
  bool single_leaf() const { return level_count_ == 1; }
  uint32_t root_cid_bytes(const Profile& profile) const {
    return single_leaf() ? profile.leaf_cid_bytes() : profile.node_cid_bytes();
  }

  // All sections of the file's DAG in a CAR, nothing deduplicated.
  uint64_t sections_bytes() const { return sections_bytes_; }
  uint64_t section_count() const { return section_count_; }
  // REQUIRES: has(place), the profile that the shape was made with.
  FileSubtree subtree(const FileNodePlace& place, const Profile& profile) const;

 private:
  struct Level {
    uint64_t count;
    FileNode full;  // every node but the last
    FileNode last;
  };

  std::array<Level, kLevelsMax> levels_;  // the first level_count_ are set: a shape is made for every tiny file
  size_t level_count_ = 0;
  uint64_t sections_bytes_ = 0;
  uint64_t section_count_ = 0;
};

}  // namespace piecework::engine
