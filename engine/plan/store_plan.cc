#include "engine/plan/store_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/codec/dag_cbor.h"
#include "engine/plan/store_divide.h"
#include "engine/plan/stored_records.h"

namespace piecework::engine {
namespace {

class StorePlanner {
 public:
  StorePlanner(const SourceSet& sources, const OpenedStores& stores, const PlanRequest& request)
      : sources_(sources), stores_(stores), request_(request), walk_{.stop = request.stop} {}

  Result<PlanSummary> run(const std::string& path) {
    PIECEWORK_TRY(take_inventory());
    if (dags_.empty()) {
      return fail(ErrorCode::kNotFound, ErrorSide::kSource,
                  fmt::format("'{}' has nothing pinned and no MFS root: name roots with --roots FILE",
                              printable(sources_.sources().front().path)));
    }
    // From here the roots are fixed, and with them everything that is packed.
    PIECEWORK_ASSIGN(const std::vector<EntryRanges> batches,
                     divide_stores({inventory_, dags_, stores_}, request_.options, walk_));
    PIECEWORK_ASSIGN(const std::unique_ptr<PlanWriter> writer, PlanWriter::create(path, request_.options));
    for (const EntryRanges& batch : batches) PIECEWORK_TRY(add_batch(*writer, batch));
    return writer->finish(inventory_, {});
  }

 private:
  Status take_inventory() {
    inventory_.sources = sources_.sources();
    inventory_.root_joins_sources = sources_.joined();
    if (!sources_.joined()) return add_source(0, {});
    std::vector<size_t> order(stores_.sources.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return sources_.sources()[a].name < sources_.sources()[b].name; });
    const EntryIndex root = inventory_.open_directory({});
    for (const size_t source : order) PIECEWORK_TRY(add_source(source, sources_.sources()[source].name));
    inventory_.close_directory(root);
    return {};
  }

  // The source's only root, or a directory that names each root by its CID; nothing where it only lends blocks.
  Status add_source(size_t source, std::string_view name) {
    std::vector<std::pair<std::string, const Cid*>> roots;  // by name: the order of a directory's entries
    for (const Cid& root : stores_.sources[source].roots) roots.emplace_back(root.text(), &root);
    std::sort(roots.begin(), roots.end());
    const auto same_name = [](const auto& a, const auto& b) { return a.first == b.first; };
    roots.erase(std::unique(roots.begin(), roots.end(), same_name), roots.end());
    if (roots.empty()) return {};
    if (roots.size() == 1) return add_dag(source, name, *roots.front().second);
    const EntryIndex directory = inventory_.open_directory(name);
    for (const auto& [text, root] : roots) PIECEWORK_TRY(add_dag(source, text, *root));
    inventory_.close_directory(directory);
    return {};
  }

  Status add_dag(size_t source, std::string_view name, const Cid& root) {
    PIECEWORK_ASSIGN(const uint64_t tsize, stored_dag_tsize(*stores_.sources[source].store, root));
    dags_.push_back({inventory_.add_dag(name, root.bytes(), tsize), static_cast<uint32_t>(source)});
    return {};
  }

  Status add_batch(PlanWriter& writer, const EntryRanges& batch) {
    StoredRecords records(walk_);
    for (const EntryRange& range : batch) add_roots(range, records);
    ContentClasses classes(Dedup::kNone);
    if (request_.options.one_item_per_piece) return add_bare_batch(writer, batch.back().end - 1, records, classes);
    PIECEWORK_ASSIGN(BatchLayout layout, BatchLayout::compute(inventory_, classes, request_.options.profile, batch));
    PIECEWORK_TRY(writer.add_batch(layout, &records));
    PIECEWORK_TRY(records.status());
    const uint64_t car_bytes = writer.last_batch().totals.car_bytes;
    if (car_bytes <= request_.options.payload_bytes_max) return {};
    return fail(
        ErrorCode::kUnsupported, ErrorSide::kSource,
        fmt::format("the directory around the roots of batch {} takes more than was reckoned ({} bytes in all): "
                    "use --one-item-per-piece",
                    writer.last_batch().batch, car_bytes));
  }

  void add_roots(EntryRange range, StoredRecords& records) const {
    const auto begins_before = [](const PlannedDag& dag, EntryIndex entry) { return dag.entry < entry; };
    auto dag = std::lower_bound(dags_.begin(), dags_.end(), range.begin, begins_before);
    for (; dag != dags_.end() && dag->entry < range.end; ++dag) {
      const StoreSource& source = stores_.sources[dag->source];
      records.add_root(root_of(inventory_, *dag), *source.store, source.file_sources);
    }
  }

  // One DAG by itself: its root is the piece's.
  Status add_bare_batch(PlanWriter& writer, EntryIndex entry, StoredRecords& records, ContentClasses& classes) {
    Inventory alone;
    alone.add_dag({}, inventory_.dag_cid(entry), inventory_[entry].content_bytes);
    PIECEWORK_ASSIGN(BatchLayout layout, BatchLayout::compute(alone, classes, request_.options.profile, {{0, 1}}));
    PIECEWORK_TRY(writer.add_batch(layout, &records));
    return records.status();
  }

  const SourceSet& sources_;
  const OpenedStores& stores_;
  const PlanRequest& request_;
  const DagWalkOptions walk_;
  Inventory inventory_;
  std::vector<PlannedDag> dags_;
};

}  // namespace

Result<PlanSummary> make_store_plan(const SourceSet& sources, const OpenedStores& stores, const PlanRequest& request,
                                    const std::string& path) {
  return StorePlanner(sources, stores, request).run(path);
}

}  // namespace piecework::engine
