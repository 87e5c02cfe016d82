// The nodes of a file's DAG, or of a subtree of it, in pre-order, from its shape alone; the stack is bounded by the
// number of levels.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/layout/file_shape.h"

namespace piecework::engine {

// Visits one node a call, parents first. Thread-compatible.
class FileWalk {
 public:
  FileWalk() = default;  // at its end
  // Begins with the node at `top`. REQUIRES: shape.has(top).
  FileWalk(const FileShape& shape, uint32_t max_links, const FileNodePlace& top)
      : max_links_(max_links), top_(top.level), level_(top_) {
    for (size_t i = 0; i <= top_; ++i) counts_[i] = shape.node_count(i);
    next_[top_] = top.index;
    end_[top_] = top.index + 1;
  }
  FileWalk(const FileShape& shape, uint32_t max_links) : FileWalk(shape, max_links, shape.root_place()) {}

  // The next node; false at the end.
  bool next(FileNodePlace& place) {
    while (next_[level_] == end_[level_]) {
      if (level_ == top_) return false;
      ++level_;
    }
    place = {level_, next_[level_]++};
    if (level_ > 0) {
      --level_;
      next_[level_] = place.index * max_links_;
      end_[level_] = std::min(next_[level_] + max_links_, counts_[level_]);
    }
    return true;
  }

  // Passes over what is below the last node returned. REQUIRES: it was an inner node.
  void skip_children() { next_[level_] = end_[level_]; }

 private:
  uint32_t max_links_ = 2;
  size_t top_ = 0;
  size_t level_ = 0;  // the level that the next node is looked for at first
  std::array<uint64_t, FileShape::kLevelsMax> counts_{};
  std::array<uint64_t, FileShape::kLevelsMax> next_{};  // by level: the siblings still to visit
  std::array<uint64_t, FileShape::kLevelsMax> end_{};
};

}  // namespace piecework::engine
