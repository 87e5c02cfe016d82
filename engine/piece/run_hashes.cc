#include "engine/piece/run_hashes.h"

#include <algorithm>
#include <array>

#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

class RunHasher {
 public:
  RunHasher(ByteSpan bytes, uint64_t begin_bytes, uint64_t car_bytes, std::span<const ByteRange> holes,
            RunHashes& result)
      : bytes_(bytes),
        begin_(begin_bytes),
        end_(begin_bytes + bytes.size()),
        car_bytes_(car_bytes),
        holes_(holes),
        result_(result) {}

  // Goes from known stretch to known stretch; within each, whole granules are hashed and the ends are fragments.
  void run() {
    uint64_t at = begin_;
    for (const ByteRange& hole : holes_) {
      stretch(at, hole.begin);
      at = hole.end;
    }
    stretch(at, end_);
  }

 private:
  void stretch(uint64_t begin, uint64_t end) {
    if (begin >= end) return;
    const uint64_t first_granule = div_ceil(begin, kGranuleBytes);
    const uint64_t last_granule = end / kGranuleBytes;
    if (first_granule >= last_granule) return fragment(begin, end);
    fragment(begin, first_granule * kGranuleBytes);
    for (uint64_t granule = first_granule; granule < last_granule;) {
      const uint64_t segment_end = align_down(granule, kGranulesPerSegment) + kGranulesPerSegment;
      const uint64_t part_end = std::min(segment_end, last_granule);
      granules(granule, part_end);
      granule = part_end;
    }
    fragment(last_granule * kGranuleBytes, end);
  }

  // A fragment that is a whole granule's worth only because the CAR ends there stays a fragment: the assembler pads it.
  void fragment(uint64_t begin, uint64_t end) {
    if (begin >= end) return;
    PIECEWORK_DCHECK(end <= car_bytes_);
    result_.fragments.push_back({begin, end});
    const uint8_t* source = bytes_.data() + (begin - begin_);
    result_.fragment_bytes.insert(result_.fragment_bytes.end(), source, source + (end - begin));
  }

  // Folds the granules [first, last) of one segment into the largest aligned subtrees.
  void granules(uint64_t first, uint64_t last) {
    kernels::hash_granules(nodes_.data(), bytes_.data() + (first * kGranuleBytes - begin_), last - first);
    uint8_t* nodes = nodes_.data();
    for (unsigned level = 0; first < last; ++level, first /= 2, last /= 2) {
      if (level == kSegmentLevel) return emit(level, first, nodes);
      if (first % 2 == 1) {
        emit(level, first++, nodes);
        nodes += kDigestBytes;
      }
      if (first < last && last % 2 == 1) {
        --last;
        emit(level, last, nodes + (last - first) * kDigestBytes);
      }
      kernels::hash_nodes(nodes, nodes, (last - first) / 2);
    }
  }

  void emit(unsigned level, uint64_t index, const uint8_t* node) {
    Subtree& subtree = result_.subtrees.emplace_back(Subtree{level, index, {}});
    std::copy(node, node + kDigestBytes, subtree.root.begin());
  }

  const ByteSpan bytes_;
  const uint64_t begin_;
  const uint64_t end_;
  const uint64_t car_bytes_;
  const std::span<const ByteRange> holes_;
  RunHashes& result_;
  std::array<uint8_t, kGranulesPerSegment * kDigestBytes> nodes_;
};

}  // namespace

void RunHashes::clear() {
  subtrees.clear();
  fragments.clear();
  fragment_bytes.clear();
}

void hash_run(ByteSpan bytes, uint64_t begin_bytes, uint64_t car_bytes, std::span<const ByteRange> holes,
              RunHashes& result) {
  result.clear();
  RunHasher(bytes, begin_bytes, car_bytes, holes, result).run();
}

}  // namespace piecework::engine
