#include "engine/plan/lay_out_anew.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/plan/find_duplicates.h"
#include "engine/plan/record_walk.h"

namespace piecework::engine {
namespace {

// Of the memory: what is known about entries and does not go to the scratch directory.
constexpr uint64_t kPagesShare = 2;

bool is_among(const std::vector<SkippedItem>& items, const std::string& path) {
  const auto at = std::lower_bound(items.begin(), items.end(), path,
                                   [](const SkippedItem& item, const std::string& key) { return item.path < key; });
  return at != items.end() && at->path == path;
}

// The entries that the records of a batch are of, directories' entries in the records' order.
class EntryReader {
 public:
  EntryReader(BatchReader records, const Profile& profile, const std::vector<SkippedItem>& left_out, PageSource* pages)
      : walk_(std::move(records)), profile_(profile), left_out_(left_out), inventory_(pages) {}

  Result<Inventory> run() {
    for (;;) {
      PIECEWORK_ASSIGN(const std::optional<LayoutRecord> record, walk_.next());
      if (!record) break;
      if (!open_.empty()) --open_.back().children_left;
      add(*record);
      for (; !open_.empty() && open_.back().children_left == 0; open_.pop_back()) {
        if (open_.back().is_directory) inventory_.close_directory(open_.back().entry);
      }
      PIECEWORK_TRY(inventory_.status());
    }
    return std::move(inventory_);
  }

 private:
  // A node whose children follow; a shard's entries are its directory's.
  struct Open {
    bool is_directory = false;
    EntryIndex entry = 0;
    uint64_t children_left = 0;
  };

  void add(const LayoutRecord& record) {
    switch (record.kind) {
      case RecordKind::kDirectory:
        open_.push_back({true, inventory_.open_directory(record.name), record.child_count});
        return;
      case RecordKind::kShard:
        open_.push_back({false, 0, record.child_count});
        return;
      case RecordKind::kFile:
        if (is_among(left_out_, walk_.path())) return;
        inventory_.add_file(record.name, record.file_bytes, record.mtime_ns);
        return;
      case RecordKind::kSymlink:
        inventory_.add_symlink(record.name, record.target);
        return;
      case RecordKind::kFilePart: {
        const FileShape shape(record.file_bytes, profile_);
        inventory_.add_file_part(record.name, shape.node(record.part.level, record.part.index).file_bytes,
                                 record.mtime_ns, {record.file_bytes, record.part});
        return;
      }
      case RecordKind::kBlock:
        PIECEWORK_CHECK(false);  // stores are not laid out anew
    }
  }

  RecordWalk walk_;
  const Profile& profile_;
  const std::vector<SkippedItem>& left_out_;
  Inventory inventory_;
  std::vector<Open> open_;
};

// A copy in which directories' entries stand in name order, as everywhere else.
class Sorter {
 public:
  explicit Sorter(const Inventory& entries) : entries_(entries), sorted_(entries.pages()) {}

  Inventory run() {
    if (entries_.entry_count() == 0) return std::move(sorted_);
    copy(0);
    while (!open_.empty()) {
      Open& directory = open_.back();
      if (directory.next < directory.children.size()) {
        copy(directory.children[directory.next++]);
      } else {
        sorted_.close_directory(directory.copy);
        open_.pop_back();
      }
    }
    return std::move(sorted_);
  }

 private:
  struct Open {
    SpillArray<EntryIndex> children;
    size_t next = 0;
    EntryIndex copy = 0;
  };

  SpillArray<EntryIndex> children_of(EntryIndex directory) const {
    const EntryIndex end = entries_[directory].subtree_end;
    size_t count = 0;
    for (EntryIndex child = directory + 1; child < end; child = entries_[child].subtree_end) ++count;
    SpillArray<EntryIndex> children(entries_.pages(), count);
    size_t at = 0;
    for (EntryIndex child = directory + 1; child < end; child = entries_[child].subtree_end) children[at++] = child;
    std::sort(children.begin(), children.end(),
              [this](EntryIndex a, EntryIndex b) { return entries_.name(a) < entries_.name(b); });
    return children;
  }

  void copy(EntryIndex entry) {
    const Entry& record = entries_[entry];
    const std::string_view name = entries_.name(entry);
    switch (record.kind) {
      case EntryKind::kDirectory:
        open_.push_back({children_of(entry), 0, sorted_.open_directory(name)});
        return;
      case EntryKind::kFile:
        sorted_.add_file(name, record.content_bytes, record.mtime_ns);
        return;
      case EntryKind::kSymlink:
        sorted_.add_symlink(name, entries_.symlink_target(entry));
        return;
      case EntryKind::kFilePart:
        sorted_.add_file_part(name, record.content_bytes, record.mtime_ns, entries_.file_part(entry));
        return;
      case EntryKind::kDag:
        PIECEWORK_CHECK(false);  // stores are not laid out anew
    }
  }

  const Inventory& entries_;
  Inventory sorted_;
  std::vector<Open> open_;
};

Result<Inventory> entries_of(PlanReader& plan, uint32_t batch, const std::vector<SkippedItem>& left_out,
                             PageSource* pages) {
  const PlanSummary& summary = plan.summary();
  PIECEWORK_ASSIGN(BatchReader records, plan.read_batch(batch));
  PIECEWORK_ASSIGN(const Inventory entries,
                   EntryReader(std::move(records), summary.options.profile, left_out, pages).run());
  Inventory sorted = Sorter(entries).run();
  PIECEWORK_TRY(sorted.status());
  sorted.sources = summary.sources;
  sorted.root_joins_sources = summary.root_joins_sources;
  return sorted;
}

bool holds_files(const Inventory& inventory) {
  for (EntryIndex entry = 0; entry < inventory.entry_count(); ++entry) {
    if (inventory[entry].kind != EntryKind::kDirectory) return true;
  }
  return false;
}

}  // namespace

Result<std::unique_ptr<PlanReader>> lay_out_anew(PlanReader& plan, uint32_t batch,
                                                 const std::vector<SkippedItem>& left_out, const SourceSet& sources,
                                                 const AnewSettings& settings) {
  const PlanSummary& summary = plan.summary();
  const PlannedBatch& planned = summary.batches[batch];
  PageSource pages(settings.scratch_path, settings.memory_bytes / kPagesShare);
  PIECEWORK_ASSIGN(const Inventory inventory, entries_of(plan, batch, left_out, &pages));
  if (!holds_files(inventory)) {
    return fail(ErrorCode::kNotFound, ErrorSide::kSource,
                fmt::format("nothing is left of batch {} without the {} items that failed", batch, left_out.size()));
  }
  const DuplicateSearch search{.dedup = summary.options.dedup,
                               .thread_count = settings.thread_count,
                               .stop = settings.stop};
  PIECEWORK_ASSIGN(ContentClasses classes,
                   find_duplicates(inventory, sources, summary.options.profile, search));
  PIECEWORK_ASSIGN(BatchLayout layout, BatchLayout::compute(inventory, classes, summary.options.profile,
                                                            {{0, inventory.entry_count()}}));
  PIECEWORK_ASSIGN(const std::unique_ptr<PlanWriter> writer, PlanWriter::create(settings.plan_path, summary.options));
  PIECEWORK_TRY(writer->add_batch(layout, {}, planned.role));
  PIECEWORK_TRY(pages.status());
  const uint64_t car_bytes = writer->last_batch().totals.car_bytes;
  if (car_bytes > summary.options.payload_bytes_max) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("batch {} without the items that failed comes to {} bytes, more than a piece of {} holds: "
                            "make the plan again",
                            batch, car_bytes, summary.options.piece_size_text));
  }
  PIECEWORK_TRY(writer->finish(inventory, {}));
  return PlanReader::open_stand_in(settings.plan_path, summary, batch, left_out);
}

}  // namespace piecework::engine
