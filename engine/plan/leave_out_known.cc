#include "engine/plan/leave_out_known.h"

#include <algorithm>

#include "engine/plan/file_cid.h"
#include "engine/plan/file_pass.h"

namespace piecework::engine {
namespace {

class InventoryFilter {
 public:
  InventoryFilter(const Inventory& inventory, const SourceSet& sources, const KnownItems& items,
                  const KnownSearch& search)
      : inventory_(inventory),
        sources_(sources),
        items_(items),
        search_(search),
        is_kept_(inventory.entry_count(), true) {}

  Status find() {
    ask_by_place();
    PIECEWORK_TRY(ask_by_content());
    drop_empty_directories();
    return {};
  }
  const KnownTotals& known() const { return known_; }

  // What is left. REQUIRES: find() has succeeded.
  Inventory kept() const {
    Inventory kept = inventory_.copy([this](EntryIndex entry, Inventory&) { return !is_kept_[entry]; });
    kept.known = known_;
    return kept;
  }

 private:
  ItemPlace place(std::string_view path) const {
    return item_place(path, inventory_.root_joins_sources, inventory_.sources.front().name);
  }

  // Everything that can be told without reading a file; files that must be read are left in candidates_.
  void ask_by_place() {
    struct Open {
      EntryIndex end;
      size_t path_bytes;
    };
    std::vector<Open> open;  // the directories around the entry at hand
    std::string path;
    InventoryWalk walk(inventory_);
    for (EntryIndex entry = 0; entry < inventory_.entry_count(); ++entry) {
      walk.at(entry, inventory_.entry_count());
      while (!open.empty() && open.back().end <= entry) open.pop_back();
      path.resize(open.empty() ? 0 : open.back().path_bytes);
      if (!path.empty()) path += '/';
      path += inventory_.name(entry);
      if (!inventory_.is_leaf(entry))
        open.push_back({inventory_[entry].subtree_end, path.size()});
      else if (is_known(entry, place(path)))
        leave_out(entry);
    }
  }

  bool is_known(EntryIndex entry, const ItemPlace& at) {
    const Entry& record = inventory_[entry];
    switch (record.kind) {
      case EntryKind::kDirectory:
        return items_.has_empty_directory(at);
      case EntryKind::kSymlink:
        return items_.has_symlink(at, inventory_.symlink_target(entry));
      case EntryKind::kFile:
        if (items_.has_file(at, record.content_bytes, record.mtime_ns)) return true;
        if (!items_.has_content_of_size(at, record.content_bytes)) return false;
        if (record.content_bytes == 0) return true;  // there is but one content of no bytes
        candidates_.push_back(entry);
        return false;
      case EntryKind::kDag:
      case EntryKind::kFilePart:  // what is known is decided before files are cut
        break;
    }
    return false;
  }

  Status ask_by_content() {
    if (candidates_.empty()) return {};
    std::vector<uint8_t> is_same(candidates_.size(), 0);
    const auto is_candidate = [this](EntryIndex entry) {
      return std::binary_search(candidates_.begin(), candidates_.end(), entry);
    };
    FilePass pass(inventory_, sources_, search_.thread_count, search_.stop);
    PIECEWORK_TRY(pass.run(is_candidate, [&](const ListedFile& file, const io::File& opened) -> Status {
      const uint64_t file_bytes = inventory_[file.entry].content_bytes;
      PIECEWORK_ASSIGN(const Cid cid, file_cid(opened, file_bytes, search_.profile, search_.read_bytes));
      is_same[file.position] = items_.has_content(place(file.path), file_bytes, cid.bytes());
      return {};
    }));
    for (size_t i = 0; i < candidates_.size(); ++i) {
      if (is_same[i] != 0) leave_out(candidates_[i]);
    }
    return {};
  }

  void leave_out(EntryIndex entry) {
    is_kept_[entry] = false;
    ++known_.item_count;
    if (inventory_[entry].kind == EntryKind::kFile) known_.bytes += inventory_[entry].content_bytes;
  }

  // A directory stays where a leaf below it does.
  void drop_empty_directories() {
    EntryIndex next_leaf = inventory_.entry_count();  // the first that is kept behind the entry at hand
    for (EntryIndex entry = inventory_.entry_count(); entry-- > 0;) {
      if (!inventory_.is_leaf(entry))
        is_kept_[entry] = next_leaf < inventory_[entry].subtree_end;
      else if (is_kept_[entry])
        next_leaf = entry;
    }
  }

  const Inventory& inventory_;
  const SourceSet& sources_;
  const KnownItems& items_;
  const KnownSearch& search_;
  std::vector<bool> is_kept_;
  std::vector<EntryIndex> candidates_;  // in order
  KnownTotals known_;
};

}  // namespace

Result<Inventory> leave_out_known(Inventory inventory, const SourceSet& sources, const KnownItems& items,
                                  const KnownSearch& search) {
  InventoryFilter filter(inventory, sources, items, search);
  PIECEWORK_TRY(filter.find());
  if (filter.known().item_count == 0) return inventory;
  Inventory kept = filter.kept();
  PIECEWORK_TRY(kept.status());
  return kept;
}

KnownTotals leave_out_known_roots(std::vector<StoreSource>& sources, const KnownItems& items) {
  KnownTotals known;
  for (StoreSource& source : sources) {
    std::sort(source.roots.begin(), source.roots.end());
    source.roots.erase(std::unique(source.roots.begin(), source.roots.end()), source.roots.end());
    std::erase_if(source.roots, [&](const Cid& root) {
      std::optional<uint64_t> tsize = items.find_dag(root.bytes());
      if (!tsize && items.blocks().contains(root.view())) {
        tsize = stored_dag_tsize(*source.store, root, {}).value_or(0);
      }
      if (!tsize) return false;
      ++known.item_count;
      known.bytes += *tsize;
      return true;
    });
  }
  return known;
}

}  // namespace piecework::engine
