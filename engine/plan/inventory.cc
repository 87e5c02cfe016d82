#include "engine/plan/inventory.h"

#include "kernels/base/endian.h"

namespace piecework::engine {
namespace {

// So few are read as they are touched: announcing takes longer.
constexpr EntryIndex kFewEntries = 64;

}  // namespace

Entry& Inventory::add(std::string_view name, EntryKind kind, std::string_view target) {
  PIECEWORK_CHECK(entries_.size() < kEntryCountMax);
  PIECEWORK_CHECK(name.size() <= 255);
  Entry entry;
  // One append for both texts, so that the target directly follows the name within one page.
  std::string text(name);
  text += target;
  entry.name_position = arena_.append(text.data(), text.size());
  entry.name_bytes = static_cast<uint8_t>(name.size());
  entry.kind = kind;
  entry.subtree_end = static_cast<EntryIndex>(entries_.size() + 1);
  parents_.push_back(innermost_);
  return entries_.push_back(entry);
}

EntryIndex Inventory::open_directory(std::string_view name) {
  add(name, EntryKind::kDirectory, {});
  innermost_ = entry_count() - 1;
  return innermost_;
}

void Inventory::close_directory(EntryIndex directory) {
  PIECEWORK_CHECK(directory == innermost_);
  entries_[directory].subtree_end = entry_count();
  innermost_ = parents_[directory];
}

EntryIndex Inventory::add_file(std::string_view name, uint64_t file_bytes, int64_t mtime_ns) {
  Entry& entry = add(name, EntryKind::kFile, {});
  entry.content_bytes = file_bytes;
  entry.mtime_ns = mtime_ns;
  return entry_count() - 1;
}

EntryIndex Inventory::add_symlink(std::string_view name, std::string_view target) {
  add(name, EntryKind::kSymlink, target).content_bytes = target.size();
  return entry_count() - 1;
}

EntryIndex Inventory::add_dag(std::string_view name, ByteSpan cid, uint64_t tsize) {
  PIECEWORK_CHECK(cid.size() <= 255);
  Entry& entry = add(name, EntryKind::kDag, as_text(cid));
  entry.cid_bytes = static_cast<uint8_t>(cid.size());
  entry.content_bytes = tsize;
  return entry_count() - 1;
}

EntryIndex Inventory::add_file_part(std::string_view name, uint64_t part_bytes, int64_t mtime_ns,
                                    const FilePart& part) {
  uint8_t numbers[24];
  store_le<uint64_t>(numbers, part.file_bytes);
  store_le<uint64_t>(numbers + 8, part.place.level);
  store_le<uint64_t>(numbers + 16, part.place.index);
  Entry& entry = add(name, EntryKind::kFilePart, as_text(numbers));
  entry.content_bytes = part_bytes;
  entry.mtime_ns = mtime_ns;
  return entry_count() - 1;
}

FilePart Inventory::file_part(EntryIndex index) const {
  const Entry& entry = entries_[index];
  PIECEWORK_DCHECK(entry.kind == EntryKind::kFilePart);
  const char* const numbers = arena_.at(entry.name_position) + entry.name_bytes;
  return {load_le<uint64_t>(numbers), {load_le<uint64_t>(numbers + 8), load_le<uint64_t>(numbers + 16)}};
}

Inventory Inventory::copy(const std::function<bool(EntryIndex, Inventory&)>& replace) const {
  Inventory copy(pages_);
  copy.sources = sources;
  copy.root_joins_sources = root_joins_sources;
  copy.skipped = skipped;
  copy.known = known;
  struct Open {
    EntryIndex end;    // here
    EntryIndex index;  // in the copy
  };
  std::vector<Open> open;
  size_t skipped_count = 0;
  const auto end_of_entries = [&](EntryIndex entry) {
    for (; !open.empty() && open.back().end <= entry; open.pop_back()) copy.close_directory(open.back().index);
    for (; skipped_count < skipped.size() && skipped[skipped_count].position <= entry; ++skipped_count) {
      copy.skipped[skipped_count].position = copy.entry_count();
    }
  };
  InventoryWalk walk(*this);
  for (EntryIndex entry = 0; entry < entry_count(); ++entry) {
    walk.at(entry, entry_count());
    end_of_entries(entry);
    if (replace(entry, copy)) continue;
    const Entry& record = entries_[entry];
    switch (record.kind) {
      case EntryKind::kDirectory:
        open.push_back({record.subtree_end, copy.open_directory(name(entry))});
        break;
      case EntryKind::kFile:
        copy.add_file(name(entry), record.content_bytes, record.mtime_ns);
        break;
      case EntryKind::kSymlink:
        copy.add_symlink(name(entry), symlink_target(entry));
        break;
      case EntryKind::kDag:
        copy.add_dag(name(entry), dag_cid(entry), record.content_bytes);
        break;
      case EntryKind::kFilePart:
        copy.add_file_part(name(entry), record.content_bytes, record.mtime_ns, file_part(entry));
        break;
    }
  }
  end_of_entries(entry_count());
  return copy;
}

std::string Inventory::path(EntryIndex index) const {
  std::vector<EntryIndex> below_root;
  for (EntryIndex at = index; at != 0; at = parents_[at]) below_root.push_back(at);
  std::string path;
  for (size_t i = below_root.size(); i-- > 0;) {
    if (!path.empty()) path += '/';
    path += name(below_root[i]);
  }
  return path;
}

void InventoryWalk::announce() const {
  constexpr uint64_t kBytesTouched = 64;  // an entry, its parent and a usual name
  inventory_.pages_->rest((end_ - begin_) * kBytesTouched);
  if (end_ - begin_ < kFewEntries || inventory_.pages_->spilled_bytes() == 0) return;
  inventory_.entries_.will_need(begin_, end_);
  inventory_.arena_.will_need(inventory_[begin_].name_position, inventory_[end_ - 1].name_position);
}

}  // namespace piecework::engine
