#include "engine/piece/segment_assembler.h"

#include <algorithm>
#include <cstring>

#include "engine/piece/segment_tree.h"
#include "engine/piece/zero_commitments.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

uint64_t key_of(unsigned level, uint64_t index) { return index << 4 | level; }

unsigned top_level_of(uint64_t padded_bytes) {
  const unsigned height = std::min(tree_height(padded_bytes), kSegmentHeight);
  return height < kGranuleHeight ? 0 : height - kGranuleHeight;
}

}  // namespace

SegmentAssembler::SegmentAssembler(uint64_t car_bytes)
    : car_bytes_(car_bytes),
      padded_bytes_(padded_bytes_for(car_bytes)),
      top_level_(top_level_of(padded_bytes_)),
      roots_(segment_count(car_bytes)) {
  PIECEWORK_CHECK(car_bytes > 0);
  add_zero_subtrees();
}

// The largest zero subtrees between the last granule with data and the end of its segment.
void SegmentAssembler::add_zero_subtrees() {
  const uint64_t used = div_ceil(car_bytes_, kGranuleBytes);
  const uint64_t end = align_up(used, uint64_t{1} << top_level_);
  for (uint64_t granule = used; granule < end;) {
    unsigned level = 0;
    while (level < top_level_ && granule % (uint64_t{2} << level) == 0 && granule + (uint64_t{2} << level) <= end)
      ++level;
    add({level, granule >> level, zero_commitment(kGranuleHeight + level)});
    granule += uint64_t{1} << level;
  }
}

uint64_t SegmentAssembler::granule_bytes(uint64_t granule) const {
  return std::min<uint64_t>(kGranuleBytes, car_bytes_ - granule * kGranuleBytes);
}

void SegmentAssembler::fill(uint64_t offset_bytes, ByteSpan bytes) {
  PIECEWORK_CHECK(offset_bytes + bytes.size() <= car_bytes_);
  while (!bytes.empty()) {
    const uint64_t granule = offset_bytes / kGranuleBytes;
    const uint64_t within = offset_bytes % kGranuleBytes;
    const size_t part_bytes = std::min<uint64_t>(bytes.size(), granule_bytes(granule) - within);
    fill_granule(granule, within, bytes.first(part_bytes));
    offset_bytes += part_bytes;
    bytes = bytes.subspan(part_bytes);
  }
}

void SegmentAssembler::fill_granule(uint64_t granule, uint64_t offset_in_granule, ByteSpan bytes) {
  std::unique_ptr<PartialGranule>& slot = granules_[granule];
  const uint64_t segment = granule >> kSegmentLevel;
  if (slot == nullptr) {
    slot = std::make_unique<PartialGranule>();
    note_waiting(segment);
  }
  std::memcpy(slot->bytes + offset_in_granule, bytes.data(), bytes.size());
  slot->filled_bytes += static_cast<uint32_t>(bytes.size());
  PIECEWORK_CHECK(slot->filled_bytes <= granule_bytes(granule));
  if (slot->filled_bytes < granule_bytes(granule)) return;
  Subtree subtree{0, granule, {}};
  if (padded_bytes_ < kPaddedGranuleBytes) {
    subtree.root = subtree_root({slot->bytes, car_bytes_}, tree_height(padded_bytes_));
  } else {
    std::memset(slot->bytes + slot->filled_bytes, 0, kGranuleBytes - slot->filled_bytes);
    kernels::hash_granules(subtree.root.data(), slot->bytes, 1);
  }
  granules_.erase(granule);
  --parts_waiting_[segment];
  add(subtree);
}

void SegmentAssembler::add(const Subtree& subtree) {
  unsigned level = subtree.level;
  uint64_t index = subtree.index;
  Digest32 root = subtree.root;
  const uint64_t segment = index >> (kSegmentLevel - level);
  for (; level < top_level_; ++level, index >>= 1) {
    const auto sibling = subtrees_.find(key_of(level, index ^ 1));
    if (sibling == subtrees_.end()) {
      const bool inserted = subtrees_.emplace(key_of(level, index), root).second;
      PIECEWORK_CHECK(inserted);
      return note_waiting(segment);
    }
    uint8_t pair[64];
    std::memcpy(pair + (index & 1 ? 32 : 0), root.data(), 32);
    std::memcpy(pair + (index & 1 ? 0 : 32), sibling->second.data(), 32);
    kernels::hash_nodes(root.data(), pair, 1);
    subtrees_.erase(sibling);
    --parts_waiting_[segment];
  }
  roots_[segment] = root;
  new_roots_.push_back({segment, root});
  ++rooted_count_;
  parts_waiting_.erase(segment);
}

void SegmentAssembler::note_waiting(uint64_t segment) {
  ++parts_waiting_[segment];
  waiting_segments_max_ = std::max<uint64_t>(waiting_segments_max_, parts_waiting_.size());
  const uint64_t bytes = granules_.size() * kGranuleBytes + subtrees_.size() * kDigestBytes;
  waiting_bytes_max_ = std::max(waiting_bytes_max_, bytes);
}

void SegmentAssembler::save(StateWriter& writer) const {
  writer.integer<uint32_t>(static_cast<uint32_t>(subtrees_.size()));
  for (const auto& [key, root] : subtrees_) {
    writer.integer<uint64_t>(key);
    writer.raw(root);
  }
  writer.integer<uint32_t>(static_cast<uint32_t>(granules_.size()));
  for (const auto& [granule, partial] : granules_) {
    writer.integer<uint64_t>(granule);
    writer.integer<uint32_t>(partial->filled_bytes);
    writer.raw(partial->bytes);
  }
}

bool SegmentAssembler::restore_roots(std::span<const SegmentRoot> roots) {
  std::vector<bool> seen(roots_.size());
  for (const SegmentRoot& root : roots) {
    if (root.segment >= roots_.size() || seen[root.segment]) return false;
    seen[root.segment] = true;
    roots_[root.segment] = root.root;
  }
  rooted_count_ = roots.size();
  return true;
}

bool SegmentAssembler::restore(StateReader& reader, std::span<const SegmentRoot> roots) {
  // What the constructor has put in is in the state too, or in a root already.
  subtrees_.clear();
  parts_waiting_.clear();
  new_roots_.clear();
  if (!restore_roots(roots)) return false;
  const uint64_t granule_count = roots_.size() << kSegmentLevel;
  for (size_t left = reader.count(sizeof(uint64_t) + kDigestBytes); left > 0 && reader.ok(); --left) {
    const uint64_t key = reader.integer<uint64_t>();
    const ByteSpan root = reader.raw(kDigestBytes);
    const unsigned level = key & 15;
    const uint64_t index = key >> 4;
    reader.require(level < top_level_ && index < granule_count >> level);
    if (!reader.ok()) return false;
    Digest32& target = subtrees_[key];
    std::copy(root.begin(), root.end(), target.begin());
    note_waiting(index >> (kSegmentLevel - level));
  }
  for (size_t left = reader.count(sizeof(uint64_t) + sizeof(uint32_t) + kGranuleBytes); left > 0 && reader.ok();
       --left) {
    const uint64_t granule = reader.integer<uint64_t>();
    auto partial = std::make_unique<PartialGranule>();
    partial->filled_bytes = reader.integer<uint32_t>();
    const ByteSpan bytes = reader.raw(kGranuleBytes);
    reader.require(granule < div_ceil(car_bytes_, kGranuleBytes) && partial->filled_bytes < granule_bytes(granule));
    if (!reader.ok()) return false;
    std::copy(bytes.begin(), bytes.end(), partial->bytes);
    granules_[granule] = std::move(partial);
    note_waiting(granule >> kSegmentLevel);
  }
  return reader.ok();
}

Digest32 SegmentAssembler::piece_root() const {
  PIECEWORK_CHECK(complete());
  return engine::piece_root(roots_, car_bytes_);
}

}  // namespace piecework::engine
