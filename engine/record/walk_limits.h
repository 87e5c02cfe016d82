// How far a piece's DAG is followed for a catalogue, so that one that links to itself without end, or stands on nodes
// as large and deep as it can, costs as much as its blocks do and not more. What is left out is counted and said.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace piecework::engine {

// Thread-compatible.
class WalkLimits {
 public:
  explicit WalkLimits(uint64_t block_count) : visits_max_(kVisitsMin + kVisitsPerBlock * block_count) {}

  // A link was followed, from a node at a path of this length.
  void count_link(size_t path_bytes) { visit_count_ += 1 + path_bytes / kBytesPerVisit; }
  // Whether to go below a block that was gone below before, and read it again.
  bool may_repeat(uint64_t block_bytes);
  // Whether an entry's path is one; as in a table of files, what is longer than any file system takes is none.
  bool can_be_listed(size_t directory_path_bytes, size_t name_bytes);
  // Whether to go below a node of this many bytes, which stands below `depth` others. If so it counts until leave().
  // `size_bytes`: of the file that begins there, else 0.
  bool enter(size_t depth, uint64_t node_bytes, uint64_t size_bytes);
  void leave(uint64_t node_bytes);

  // One line for each kind of limit that was met.
  void report(const std::string& piece_cid_v1, const std::function<void(const std::string&)>& warning) const;

  static constexpr uint64_t kFileBytesMax = INT64_MAX;  // SQLite's integers

 private:
  static constexpr size_t kNameBytesMax = 255;
  static constexpr size_t kPathBytesMax = 4096;
  static constexpr size_t kDepthMax = 10'000;  // that of stores when they are packed
  static constexpr uint64_t kResidentBytesMax = uint64_t{128} << 20;
  // A link is a visit; a long path, and a large node that is read again, are as many as they take space and time of.
  static constexpr uint64_t kVisitsMin = 1'000'000;
  static constexpr uint64_t kVisitsPerBlock = 8;
  static constexpr uint64_t kBytesPerVisit = 256;

  uint64_t visits_max_;
  uint64_t visit_count_ = 0;
  uint64_t resident_bytes_ = 0;
  uint64_t cut_count_ = 0;       // links that were not followed again
  uint64_t unlisted_count_ = 0;  // entries without a path
  uint64_t deep_count_ = 0;      // nodes that were not gone below
};

}  // namespace piecework::engine
