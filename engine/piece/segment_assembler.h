// Segments that wait: where subtrees, fragments and late holes of a piece come together until every segment has its
// root.
//
// A run of the pipeline hashes what is complete in it. What is not (a parent's section waits for its children's
// digests; a run ends inside a granule) waits here in compact form: adjacent complete subtrees are folded at once, so a
// segment with one hole costs ten nodes and one granule of raw bytes; granules of which nothing is known cost nothing.
// The bytes after the end of the CAR are zero: those subtrees are looked up, never hashed. Source: formats.md 8;
// design.md, idea 1.
#pragma once

#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/piece/piece_checkpoint.h"
#include "engine/piece/piece_size.h"
#include "engine/piece/state_bytes.h"
#include "kernels/base/bytes.h"

namespace piecework::engine {

// The root of 2^level adjacent granules; `index` counts subtrees of this level from the start of the piece.
struct Subtree {
  unsigned level = 0;  // 0: a granule; 10: a segment
  uint64_t index = 0;
  Digest32 root{};
};

inline constexpr unsigned kSegmentLevel = 10;
static_assert(uint64_t{1} << kSegmentLevel == kGranulesPerSegment);

// Thread-compatible.
class SegmentAssembler {
 public:
  explicit SegmentAssembler(uint64_t car_bytes);

  // Bytes of the CAR at `offset_bytes`. REQUIRES: no byte is given twice, as bytes or inside a subtree.
  void fill(uint64_t offset_bytes, ByteSpan bytes);
  // A complete subtree that starts and ends inside one segment.
  void add(const Subtree& subtree);

  // True once every byte was there.
  [[nodiscard]] bool complete() const { return rooted_count_ == roots_.size(); }
  // One root a segment: the content of <piece>.tree. REQUIRES: complete().
  [[nodiscard]] const std::vector<Digest32>& segment_roots() const { return roots_; }
  [[nodiscard]] Digest32 piece_root() const;

  // Segments that got their roots since the last take_new_roots().
  [[nodiscard]] std::vector<SegmentRoot> take_new_roots() { return std::exchange(new_roots_, {}); }
  // What waits: some KB. Together with all roots that were taken it is everything.
  void save(StateWriter& writer) const;
  // Makes this assembler, fresh from its constructor, the one that was saved. False: these bytes are not from one of
  // the same CAR; it can then only be thrown away.
  [[nodiscard]] bool restore(StateReader& reader, std::span<const SegmentRoot> roots);

  // High-water marks: what waiting has cost.
  [[nodiscard]] uint64_t waiting_segments_max() const { return waiting_segments_max_; }
  [[nodiscard]] uint64_t waiting_bytes_max() const { return waiting_bytes_max_; }

 private:
  struct PartialGranule {
    uint32_t filled_bytes = 0;
    uint8_t bytes[kGranuleBytes];
  };

  void fill_granule(uint64_t granule, uint64_t offset_in_granule, ByteSpan bytes);
  void add_zero_subtrees();
  bool restore_roots(std::span<const SegmentRoot> roots);
  void note_waiting(uint64_t segment);
  uint64_t granule_bytes(uint64_t granule) const;

  const uint64_t car_bytes_;
  const uint64_t padded_bytes_;
  const unsigned top_level_;  // of a segment's subtree; below kSegmentLevel for pieces under 1 MiB
  std::unordered_map<uint64_t, std::unique_ptr<PartialGranule>> granules_;
  std::unordered_map<uint64_t, Digest32> subtrees_;       // by level and index
  std::unordered_map<uint64_t, uint32_t> parts_waiting_;  // by segment: entries in the two maps above
  std::vector<Digest32> roots_;
  std::vector<SegmentRoot> new_roots_;
  uint64_t rooted_count_ = 0;
  uint64_t waiting_segments_max_ = 0;
  uint64_t waiting_bytes_max_ = 0;
};

}  // namespace piecework::engine
