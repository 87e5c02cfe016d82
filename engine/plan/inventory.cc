#include "engine/plan/inventory.h"

namespace piecework::engine {

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
  return entries_.push_back(entry);
}

EntryIndex Inventory::open_directory(std::string_view name) {
  add(name, EntryKind::kDirectory, {});
  return entry_count() - 1;
}

void Inventory::close_directory(EntryIndex directory) { entries_[directory].subtree_end = entry_count(); }

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

std::string Inventory::path(EntryIndex index) const {
  std::string path;
  EntryIndex at = 0;
  while (at != index) {
    EntryIndex child = at + 1;
    while (entries_[child].subtree_end <= index) child = entries_[child].subtree_end;
    if (!path.empty()) path += '/';
    path += name(child);
    at = child;
  }
  return path;
}

}  // namespace piecework::engine
