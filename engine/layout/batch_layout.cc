// Pass one of a layout: kinds, block lengths, Tsizes and classes of directories, bottom-up. Pass two is
// record_emitter.cc.
#include "engine/layout/batch_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "engine/codec/murmur3.h"
#include "engine/layout/file_shape.h"
#include "engine/layout/node_lengths.h"
#include "kernels/base/endian.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

constexpr int kHamtDepthMax = 8;  // levels of fanout 256 in a 64-bit hash

// Number of leading bytes (= HAMT levels) that two hashes share.
int common_levels(uint64_t a, uint64_t b) { return a == b ? kHamtDepthMax : std::countl_zero(a ^ b) / 8; }

uint32_t bucket_at(uint64_t hash, int level) { return static_cast<uint32_t>(hash >> (56 - 8 * level)) & 0xFF; }

// What makes two directories equal: kind, and name and class of every link. Stops caring at the first unique child.
class DirectoryKey {
 public:
  explicit DirectoryKey(char kind) { hasher_.append(as_bytes({&kind, 1})); }

  void add(int bucket, std::string_view name, ClassId class_id) {
    all_classed_ = all_classed_ && class_id != kUnique;
    if (!all_classed_) return;
    uint8_t head[9];
    store_le<uint32_t>(head, class_id);
    store_le<uint32_t>(head + 4, static_cast<uint32_t>(bucket + 1));
    head[8] = static_cast<uint8_t>(name.size());
    hasher_.append(head);
    hasher_.append(as_bytes(name));
  }
  ClassId class_id(ClassTable& table) const { return all_classed_ ? table.intern(hasher_.finish()) : kUnique; }

 private:
  kernels::Sha256 hasher_;
  bool all_classed_ = true;
};

// A shard that is still open in the reverse scan.
struct OpenShard {
  explicit OpenShard(uint32_t first_bucket) : bucket_max(first_bucket), key('h') {}

  void add(uint32_t bucket, std::string_view name, uint32_t cid_bytes, uint64_t child_tsize, ClassId class_id) {
    links_bytes += pb_link_bytes(cid_bytes, 2 + name.size(), child_tsize);
    children_tsize += child_tsize;
    ++child_count;
    key.add(static_cast<int>(bucket), name, class_id);
  }
  uint64_t block_bytes() const { return links_bytes + shard_data_bytes(bucket_max); }

  uint64_t links_bytes = 0;
  uint64_t children_tsize = 0;
  uint32_t bucket_max;  // the scan is reversed, so the first bucket seen is the highest
  uint16_t child_count = 0;
  uint32_t entry_count = 0;
  DirectoryKey key;
};

}  // namespace

struct BatchLayout::Child {
  std::string_view name;
  uint32_t cid_bytes = 0;
  uint64_t tsize = 0;
  ClassId class_id = kUnique;
};

size_t BatchLayout::directory_slot(EntryIndex entry) const {
  size_t begin = 0;
  for (size_t end = directory_entries_.size(); begin < end;) {
    const size_t middle = begin + (end - begin) / 2;
    if (directory_entries_[middle] < entry) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

EntryIndex BatchLayout::child_from(EntryIndex directory, EntryIndex entry) const {
  const EntryIndex end = inventory_[directory].subtree_end;
  const auto ends_after = [](EntryIndex at, const EntryRange& range) { return at < range.end; };
  const auto range = std::upper_bound(ranges_.begin(), ranges_.end(), entry, ends_after);
  if (range == ranges_.end() || entry >= end) return end;
  if (entry >= range->begin) return entry;
  // Nothing of the batch is before the range but directories that reach into it, the outermost first.
  const size_t slot = directory_slot(entry);
  const EntryIndex next =
      slot == directory_entries_.size() ? range->begin : std::min(range->begin, directory_entries_[slot]);
  return std::min(next, end);
}

BatchLayout::Child BatchLayout::link_of(EntryIndex entry) const {
  const Entry& record = inventory_[entry];
  Child child{.name = inventory_.name(entry), .cid_bytes = profile_.node_cid_bytes()};
  switch (record.kind) {
    case EntryKind::kDirectory: {
      const DirectoryLayout& layout = directory_layout(entry);
      child.tsize = layout.tsize;
      child.class_id = layout.class_id;
      break;
    }
    case EntryKind::kFile: {
      const FileShape shape(record.content_bytes, profile_);
      child.cid_bytes = shape.root_cid_bytes(profile_);
      child.tsize = shape.root().tsize;
      child.class_id = record.content_bytes == 0 ? classes_.empty_file_class() : classes_.file_class(entry);
      break;
    }
    case EntryKind::kSymlink:
      child.tsize = symlink_data_bytes(record.content_bytes);
      child.class_id = classes_.table().intern(symlink_key(inventory_.symlink_target(entry)));
      break;
    case EntryKind::kDag:
      child.cid_bytes = record.cid_bytes;
      child.tsize = record.content_bytes;
      break;
    case EntryKind::kFilePart: {
      const FilePart part = inventory_.file_part(entry);
      if (part.place.level == 0) child.cid_bytes = profile_.leaf_cid_bytes();
      child.tsize = FileShape(part.file_bytes, profile_).node(part.place.level, part.place.index).tsize;
      break;
    }
  }
  return child;
}

SpillArray<BatchLayout::HamtItem> BatchLayout::name_order(EntryIndex directory) const {
  SpillArray<HamtItem> items(inventory_.pages(), directory_layout(directory).entry_count);
  HamtItem* next = items.begin();
  for_each_child(directory, [&](EntryIndex child) { *next++ = {0, child}; });
  return items;
}

SpillArray<BatchLayout::HamtItem> BatchLayout::hamt_order(EntryIndex directory) const {
  SpillArray<HamtItem> items = name_order(directory);
  InventoryWalk walk(inventory_);
  for (HamtItem& item : items) {
    walk.at(item.entry, inventory_[directory].subtree_end);
    item.hash = murmur3_x64_64(inventory_.name(item.entry));
  }
  std::sort(items.begin(), items.end(), [](const HamtItem& a, const HamtItem& b) {
    return a.hash != b.hash ? a.hash < b.hash : a.entry < b.entry;
  });
  return items;
}

Status BatchLayout::lay_out_hamt(EntryIndex directory, DirectoryLayout& layout) {
  const SpillArray<HamtItem> items = hamt_order(directory);
  std::vector<OpenShard> open;                          // by level
  PagedVector<ShardLayout> closed(inventory_.pages());  // in reverse pre-order
  for (size_t i = items.size(); i-- > 0;) {
    const uint64_t hash = items[i].hash;
    const int before = i > 0 ? common_levels(hash, items[i - 1].hash) : -1;
    const int after = i + 1 < items.size() ? common_levels(hash, items[i + 1].hash) : -1;
    const int level = std::max({before, after, 0});
    if (level >= kHamtDepthMax) {
      return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
                  fmt::format("directory '{}': the names '{}' and one more have the same 64-bit hash, which no sharded "
                              "UnixFS directory can hold; rename one of them",
                              printable(inventory_.path(directory)), printable(inventory_.name(items[i].entry))));
    }
    while (static_cast<int>(open.size()) <= level) open.emplace_back(bucket_at(hash, static_cast<int>(open.size())));
    const Child child = link_of(items[i].entry);
    open.back().add(bucket_at(hash, level), child.name, child.cid_bytes, child.tsize, child.class_id);
    ++open.back().entry_count;
    // Close every shard that no earlier entry shares.
    while (static_cast<int>(open.size()) > std::max(before, 0) + 1) {
      const OpenShard& shard = open.back();
      const int depth = static_cast<int>(open.size()) - 1;
      const uint64_t tsize = shard.block_bytes() + shard.children_tsize;
      const ClassId class_id = shard.key.class_id(classes_.table());
      closed.push_back({tsize, static_cast<uint32_t>(shard.block_bytes()), shard.entry_count, class_id,
                        shard.child_count, static_cast<uint8_t>(depth)});
      OpenShard& parent = open[open.size() - 2];
      parent.add(bucket_at(hash, depth - 1), {}, profile_.node_cid_bytes(), tsize, class_id);
      parent.entry_count += shard.entry_count;
      open.pop_back();
    }
  }
  const OpenShard& root = open.front();
  layout.is_hamt = true;
  layout.block_bytes = static_cast<uint32_t>(root.block_bytes());
  layout.tsize = root.block_bytes() + root.children_tsize;
  layout.child_count = root.child_count;
  layout.class_id = root.key.class_id(classes_.table());
  layout.shard_begin = static_cast<uint32_t>(shards_.size());
  for (size_t i = closed.size(); i-- > 0;) shards_.push_back(closed[i]);
  return {};
}

Status BatchLayout::lay_out_directory(EntryIndex directory) {
  DirectoryLayout& layout = directory_layout(directory);
  uint64_t block_bytes = directory_data_bytes();
  uint64_t links_bytes = 0;
  DirectoryKey key('d');
  for_each_child(directory, [&](EntryIndex entry) {
    const Child child = link_of(entry);
    block_bytes += pb_link_bytes(child.cid_bytes, child.name.size(), child.tsize);
    links_bytes += child.name.size() + child.cid_bytes;
    layout.tsize += child.tsize;
    key.add(-1, child.name, child.class_id);
    ++layout.entry_count;
  });
  const uint64_t measured = profile_.hamt_rule == HamtRule::kBlockBytes ? block_bytes : links_bytes;
  if (measured > profile_.hamt_threshold_bytes && layout.entry_count > 0) return lay_out_hamt(directory, layout);
  layout.block_bytes = static_cast<uint32_t>(block_bytes);
  layout.tsize += block_bytes;
  layout.child_count = layout.entry_count;
  layout.class_id = key.class_id(classes_.table());
  return {};
}

// The directories inside each range, and before them those that begin before it and reach into it.
void BatchLayout::collect_directories() {
  std::vector<EntryIndex> ancestors;
  InventoryWalk walk(inventory_);
  EntryIndex seen_end = 0;  // what begins before this, and reaches further, is there already
  for (const EntryRange& range : ranges_) {
    PIECEWORK_CHECK(seen_end <= range.begin && range.begin < range.end && range.end <= inventory_.entry_count());
    ancestors.clear();
    for (EntryIndex at = range.begin; at > seen_end;) {
      at = inventory_.parent(at);
      if (at >= seen_end) ancestors.push_back(at);
    }
    for (size_t i = ancestors.size(); i-- > 0;) directory_entries_.push_back(ancestors[i]);
    for (EntryIndex entry = range.begin; entry < range.end; ++entry) {
      walk.at(entry, range.end);
      if (inventory_[entry].kind == EntryKind::kDirectory) directory_entries_.push_back(entry);
    }
    seen_end = range.end;
  }
  for (size_t i = 0; i < directory_entries_.size(); ++i) directories_.push_back({});
}

Result<BatchLayout> BatchLayout::compute(const Inventory& inventory, ContentClasses& classes, const Profile& profile,
                                         EntryRanges ranges) {
  PIECEWORK_CHECK(!ranges.empty());
  BatchLayout layout(inventory, classes, profile, std::move(ranges));
  layout.collect_directories();
  // Children before parents.
  for (size_t i = layout.directory_entries_.size(); i-- > 0;) {
    PIECEWORK_TRY(layout.lay_out_directory(layout.directory_entries_[i]));
    PIECEWORK_TRY(inventory.status());
  }
  return layout;
}

}  // namespace piecework::engine
