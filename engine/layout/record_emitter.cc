// Pass two of a layout: records in pre-order. First occurrences of a class are written, later ones are references.
#include <algorithm>
#include <bit>
#include <vector>

#include "engine/codec/dag_cbor.h"
#include "engine/layout/batch_layout.h"
#include "engine/layout/file_shape.h"
#include "engine/layout/file_walk.h"
#include "engine/layout/node_lengths.h"

namespace piecework::engine {

// Thread-compatible; lives for one emit().
class RecordEmitter {
 public:
  RecordEmitter(BatchLayout& layout, RecordSink* sink, const BatchContent& content)
      : layout_(layout),
        inventory_(layout.inventory_),
        sink_(sink),
        content_(content),
        class_index_(inventory_.pages()) {}

  LayoutTotals run() {
    const bool single_file = inventory_[0].kind != EntryKind::kDirectory;
    totals_.car_bytes = car_v1_header_bytes(single_file ? root_file_cid_bytes() : layout_.profile_.node_cid_bytes());
    emit_entry(0, -1, false);
    while (!frames_.empty()) step();
    totals_.class_count = next_class_index_ - 1;
    return totals_;
  }

 private:
  // A directory whose children are being emitted.
  struct Frame {
    bool is_hamt = false;
    bool is_shadow = false;
    SpillArray<BatchLayout::HamtItem> items;  // in link order; hashes are used only where is_hamt
    size_t next_item = 0;
    size_t next_shard = 0;    // of the layout's shards
    size_t shadow_until = 0;  // items below a reference to a shard
  };

  struct ClassSlot {
    bool is_empty() const { return class_id == kUnique; }
    uint64_t hash() const { return class_id * 0x9E3779B97F4A7C15u; }  // classes are numbered from 1
    bool has_key_of(const ClassSlot& other) const { return class_id == other.class_id; }

    ClassId class_id = kUnique;
    uint32_t class_index = 0;
  };

  void step() {
    Frame& frame = frames_.back();
    if (frame.next_item == frame.items.size()) {
      frames_.pop_back();
      return;
    }
    const size_t item = frame.next_item;
    int bucket = -1;
    if (frame.is_hamt && item >= frame.shadow_until && !open_shards(frame, item, bucket)) return;
    const bool shadow = frame.is_shadow || item < frame.shadow_until;
    ++frame.next_item;
    emit_entry(frame.items[item].entry, shadow ? -1 : bucket, shadow);  // may invalidate `frame`
  }

  // Emits the shards that begin at `item`; the item's own bucket goes to `bucket`. False: one of them was a reference.
  bool open_shards(Frame& frame, size_t item, int& bucket) {
    const auto common = [&](size_t a, size_t b) {
      const uint64_t difference = frame.items[a].hash ^ frame.items[b].hash;
      return std::countl_zero(difference) / 8;
    };
    const int before = item > 0 ? common(item, item - 1) : -1;
    const int after = item + 1 < frame.items.size() ? common(item, item + 1) : -1;
    const int level = std::max({before, after, 0});
    const auto bucket_at = [&](int depth) {
      return static_cast<int>((frame.items[item].hash >> (56 - 8 * depth)) & 0xFF);
    };
    for (int depth = std::max(before, 0) + 1; depth <= level; ++depth) {
      const ShardLayout& shard = layout_.shards_[frame.next_shard];
      PIECEWORK_CHECK(shard.depth == depth);
      LayoutRecord record{.kind = RecordKind::kShard,
                          .bucket = bucket_at(depth - 1),
                          .child_count = shard.child_count,
                          .block_bytes = shard.block_bytes,
                          .tsize = shard.tsize};
      resolve_class(shard.class_id, record);
      if (record.is_reference) {
        record.child_count = shard.entry_count;
        frame.shadow_until = item + shard.entry_count;
        skip_shards_below(frame, depth);
        send(record);
        return false;
      }
      ++frame.next_shard;
      count_section(layout_.profile_.node_cid_bytes(), shard.block_bytes);
      send(record);
    }
    bucket = bucket_at(level);
    return true;
  }

  void skip_shards_below(Frame& frame, int depth) {
    ++frame.next_shard;
    while (frame.next_shard < layout_.shards_.size() && layout_.shards_[frame.next_shard].depth > depth) {
      ++frame.next_shard;
    }
  }

  void emit_entry(EntryIndex entry, int bucket, bool shadow) {
    LayoutRecord record{.is_shadow = shadow, .bucket = bucket, .name = inventory_.name(entry)};
    switch (inventory_[entry].kind) {
      case EntryKind::kDirectory:
        return emit_directory(entry, record);
      case EntryKind::kFile:
        return emit_file(entry, record);
      case EntryKind::kSymlink:
        return emit_symlink(entry, record);
      case EntryKind::kDag:
        if (content_.dags != nullptr) content_.dags->emit(inventory_.dag_cid(entry), record, sink_, totals_);
        return;
      case EntryKind::kFilePart:
        return emit_file_part(entry, record);
    }
  }

  void emit_directory(EntryIndex entry, LayoutRecord record) {
    const DirectoryLayout& directory = layout_.directory_layout(entry);
    record.kind = RecordKind::kDirectory;
    record.block_bytes = directory.block_bytes;
    record.tsize = directory.tsize;
    resolve_class(directory.class_id, record);
    const bool shadow = record.is_shadow || record.is_reference;
    record.is_hamt = directory.is_hamt && !shadow;
    record.child_count = shadow ? directory.entry_count : directory.child_count;
    if (!shadow) count_section(layout_.profile_.node_cid_bytes(), directory.block_bytes);
    send(record);
    if (directory.entry_count == 0) return;
    Frame& frame = frames_.emplace_back();
    frame.is_hamt = record.is_hamt;
    frame.is_shadow = shadow;
    frame.next_shard = directory.shard_begin;
    frame.items = frame.is_hamt ? layout_.hamt_order(entry) : layout_.name_order(entry);
  }

  void emit_symlink(EntryIndex entry, LayoutRecord record) {
    record.kind = RecordKind::kSymlink;
    record.target = inventory_.symlink_target(entry);
    record.block_bytes = record.tsize = symlink_data_bytes(record.target.size());
    resolve_class(layout_.classes_.table().intern(symlink_key(record.target)), record);
    if (!record.is_reference && !record.is_shadow) count_section(layout_.profile_.node_cid_bytes(), record.block_bytes);
    send(record);
  }

  void emit_file(EntryIndex entry, LayoutRecord record) {
    const Entry& file = inventory_[entry];
    record.kind = RecordKind::kFile;
    record.file_bytes = file.content_bytes;
    record.mtime_ns = file.mtime_ns;
    record.content = layout_.classes_.content_digest(entry);
    const ClassId class_id =
        file.content_bytes == 0 ? layout_.classes_.empty_file_class() : layout_.classes_.file_class(entry);
    resolve_class(class_id, record);
    ++totals_.file_count;
    totals_.source_bytes += file.content_bytes;
    if (record.is_reference || record.is_shadow) {
      totals_.duplicate_bytes += file.content_bytes;
      return send(record);
    }
    const FileShape shape(file.content_bytes, layout_.profile_);
    if (!content_.external_nodes.empty()) {
      totals_.source_bytes -= file.content_bytes;  // the parts' batches have them
      mark_external(shape);
      record.marks = marks_;
      return send(record);
    }
    const std::span<const ClassId> chunks = layout_.classes_.chunk_classes(entry);
    const bool inner_classes =
        shape.level_count() > 1 && std::any_of(chunks.begin(), chunks.end(), [](ClassId id) { return id != kUnique; });
    if (inner_classes) {
      mark_nodes(shape, chunks);
      record.marks = marks_;
    } else {
      totals_.car_bytes += shape.sections_bytes();
      totals_.block_count += shape.section_count();
    }
    send(record);
  }

  // It is listed as a file of its directory, and counted as one where the whole is: in the join.
  void emit_file_part(EntryIndex entry, LayoutRecord record) {
    const FilePart part = inventory_.file_part(entry);
    record.kind = RecordKind::kFilePart;
    record.file_bytes = part.file_bytes;
    record.part = part.place;
    record.mtime_ns = inventory_[entry].mtime_ns;
    const FileSubtree subtree = FileShape(part.file_bytes, layout_.profile_).subtree(part.place, layout_.profile_);
    totals_.car_bytes += subtree.sections_bytes;
    totals_.block_count += subtree.section_count;
    totals_.source_bytes += inventory_[entry].content_bytes;
    send(record);
  }

  // The same as mark_nodes() for a file of which only what is above `external_nodes` is in this batch.
  void mark_external(const FileShape& shape) {
    marks_.clear();
    FileWalk walk(shape, layout_.profile_.max_links);
    FileNodePlace place;
    auto external = content_.external_nodes.begin();
    for (bool root = true; walk.next(place); root = false) {
      if (external != content_.external_nodes.end() && place == *external) {
        ++external;
        marks_.push_back({NodeMark::Kind::kExternal, next_class_index_++});
        ++totals_.external_count;
        if (place.level > 0) walk.skip_children();
        continue;
      }
      PIECEWORK_CHECK(place.level > 0);  // every leaf is below an external node
      if (!root) marks_.push_back({});
      count_section(layout_.profile_.node_cid_bytes(), shape.node(place.level, place.index).block_bytes);
    }
    PIECEWORK_CHECK(external == content_.external_nodes.end());
  }

  // Decides for every node below a file's root whether it is written, and counts what is.
  void mark_nodes(const FileShape& shape, std::span<const ClassId> chunks) {
    const std::vector<std::vector<ClassId>> inner =
        file_node_classes(layout_.classes_.table(), chunks, layout_.profile_.max_links);
    marks_.clear();
    FileWalk walk(shape, layout_.profile_.max_links);
    FileNodePlace place;
    for (bool root = true; walk.next(place); root = false) {
      const bool leaf = place.level == 0;
      const FileNode& node = shape.node(place.level, place.index);
      if (!root) {
        LayoutRecord probe;
        resolve_class(leaf ? chunks[place.index] : inner[place.level - 1][place.index], probe);
        NodeMark mark{NodeMark::Kind::kWrite, probe.class_index};
        if (probe.is_reference)
          mark.kind = NodeMark::Kind::kRefer;
        else if (probe.class_index != 0)
          mark.kind = NodeMark::Kind::kDefine;
        marks_.push_back(mark);
        if (probe.is_reference) {
          totals_.duplicate_bytes += node.file_bytes;
          if (!leaf) walk.skip_children();
          continue;
        }
      }
      count_section(leaf ? layout_.profile_.leaf_cid_bytes() : layout_.profile_.node_cid_bytes(), node.block_bytes);
    }
  }

  // First occurrence of a class in this batch: defines it. Later: a reference. Shadows only look up.
  void resolve_class(ClassId class_id, LayoutRecord& record) {
    if (class_id == kUnique) return;
    const auto [slot, first] = class_index_.insert({class_id, next_class_index_});
    if (first) {
      PIECEWORK_CHECK(!record.is_shadow);
      ++next_class_index_;
    }
    record.class_index = slot.class_index;
    record.is_reference = !first && !record.is_shadow;
  }

  uint32_t root_file_cid_bytes() const {
    if (inventory_[0].kind == EntryKind::kSymlink) return layout_.profile_.node_cid_bytes();
    if (inventory_[0].kind == EntryKind::kDag) return inventory_[0].cid_bytes;
    return FileShape(inventory_[0].content_bytes, layout_.profile_).root_cid_bytes(layout_.profile_);
  }

  void count_section(uint32_t cid_bytes, uint64_t block_bytes) {
    totals_.car_bytes += section_bytes(cid_bytes, block_bytes);
    ++totals_.block_count;
  }

  void send(const LayoutRecord& record) {
    if (sink_ != nullptr) sink_->record(record);
  }

  BatchLayout& layout_;
  const Inventory& inventory_;
  RecordSink* sink_;
  const BatchContent& content_;
  LayoutTotals totals_;
  std::vector<Frame> frames_;
  std::vector<NodeMark> marks_;
  SpillMap<ClassSlot> class_index_;
  uint32_t next_class_index_ = 1;
};

LayoutTotals BatchLayout::emit(RecordSink* sink, const BatchContent& content) {
  return RecordEmitter(*this, sink, content).run();
}

}  // namespace piecework::engine
