#include "engine/plan/store_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/codec/dag_cbor.h"
#include "engine/layout/node_lengths.h"
#include "engine/plan/stored_records.h"
#include "engine/store/cid_map.h"
#include "engine/store/dag_walk.h"

namespace piecework::engine {
namespace {

// What planning a batch keeps of each block in memory comes to at most 85 bytes.
constexpr size_t kBlocksInBatchMax = size_t{16} << 20;

// A root: an entry of the inventory, which has its CID, and the source that holds it.
struct PlannedDag {
  EntryIndex entry = 0;
  uint32_t source = 0;
};

// Adds up the blocks of one DAG that neither the batch nor the DAG itself holds yet; stops past the limit.
class SizeVisitor : public DagVisitor {
 public:
  SizeVisitor(const CidMap& batch, uint64_t limit_bytes) : batch_(batch), limit_bytes_(limit_bytes) {}

  bool is_known(const CidView& cid) override {
    return batch_.find(cid.bytes).has_value() || own.find(cid.bytes).has_value();
  }
  bool wants_known() const override { return false; }
  bool visit(const VisitedBlock& block, bool) override {
    own.add(block.cid.bytes, 0);
    bytes += section_bytes(static_cast<uint32_t>(block.cid.bytes.size()), block.place.length_bytes);
    return bytes <= limit_bytes_ && !has_too_many();
  }
  bool has_too_many() const { return batch_.size() + own.size() > kBlocksInBatchMax; }
  bool fits() const { return bytes <= limit_bytes_; }

  CidMap own;
  uint64_t bytes = 0;

 private:
  const CidMap& batch_;
  uint64_t limit_bytes_;
};

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
    PIECEWORK_ASSIGN(const std::vector<EntryRange> ranges, divide());
    PIECEWORK_ASSIGN(const std::unique_ptr<PlanWriter> writer, PlanWriter::create(path, request_.options));
    for (const EntryRange& range : ranges) PIECEWORK_TRY(add_batch(*writer, range));
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

  // At most what the directories above the DAGs come to for one more DAG: a link there, shards of a HAMT, and for the
  // first DAG of a batch the directories themselves.
  uint64_t link_bound_bytes(const PlannedDag& dag) const {
    constexpr uint64_t kShardShareBytes = 256;
    const Entry& entry = inventory_[dag.entry];
    return pb_link_bytes(entry.cid_bytes, entry.name_bytes + size_t{2}, entry.content_bytes) + kShardShareBytes;
  }
  static constexpr uint64_t kDirectoriesBoundBytes = 4096;

  Result<std::vector<EntryRange>> divide() {
    std::vector<EntryRange> ranges;
    const uint64_t capacity_bytes = request_.options.payload_bytes_max;
    CidMap batch;
    uint64_t batch_bytes = kDirectoriesBoundBytes;
    EntryIndex begin = 0;
    for (size_t i = 0; i < dags_.size(); ++i) {
      const bool is_first = batch.size() == 0;
      const uint64_t link_bytes = link_bound_bytes(dags_[i]);
      const uint64_t left_bytes = capacity_bytes - std::min(capacity_bytes, batch_bytes + link_bytes);
      SizeVisitor size(batch, left_bytes);
      PIECEWORK_TRY(walk_stored_dag(*stores_.sources[dags_[i].source].store, root_of(dags_[i]), {}, walk_, size));
      if (is_first && size.has_too_many()) return too_many(dags_[i]);
      if (size.fits() && !size.has_too_many() && (is_first || !request_.options.one_item_per_piece)) {
        batch.merge(size.own);
        batch_bytes += size.bytes + link_bytes;
        continue;
      }
      if (is_first) return too_large(dags_[i]);
      ranges.push_back({begin, dags_[i - 1].entry + 1});
      begin = ranges.back().end;
      batch.clear();
      batch_bytes = kDirectoriesBoundBytes;
      --i;  // once more, into the next batch
    }
    ranges.push_back({begin, inventory_.entry_count()});
    return ranges;
  }

  Cid root_of(const PlannedDag& dag) const {
    const auto view = decode_cid(inventory_.dag_cid(dag.entry));
    PIECEWORK_CHECK(view.has_value());
    return Cid(*view);
  }

  tl::unexpected<Error> too_many(const PlannedDag& dag) const {
    return fail(
        ErrorCode::kResourceExhausted, ErrorSide::kSource,
        fmt::format("the DAG {} has more than {} blocks, too many for one piece; pack it from CARs of its parts",
                    root_of(dag).text(), kBlocksInBatchMax));
  }

  tl::unexpected<Error> too_large(const PlannedDag& dag) const {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("the DAG {} does not fit a piece of {}: choose a larger --piece-size", root_of(dag).text(),
                            request_.options.piece_size_text));
  }

  Status add_batch(PlanWriter& writer, EntryRange range) {
    StoredRecords records(walk_);
    for (; next_dag_ < dags_.size() && dags_[next_dag_].entry < range.end; ++next_dag_) {
      const PlannedDag& dag = dags_[next_dag_];
      const StoreSource& source = stores_.sources[dag.source];
      records.add_root(root_of(dag), *source.store, source.file_sources);
    }
    ContentClasses classes(Dedup::kNone);
    if (request_.options.one_item_per_piece) return add_bare_batch(writer, range, records, classes);
    PIECEWORK_ASSIGN(BatchLayout layout, BatchLayout::compute(inventory_, classes, request_.options.profile, range));
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

  // One DAG by itself: its root is the piece's.
  Status add_bare_batch(PlanWriter& writer, EntryRange range, StoredRecords& records, ContentClasses& classes) {
    const EntryIndex entry = range.end - 1;
    Inventory alone;
    alone.add_dag({}, inventory_.dag_cid(entry), inventory_[entry].content_bytes);
    PIECEWORK_ASSIGN(BatchLayout layout, BatchLayout::compute(alone, classes, request_.options.profile, {0, 1}));
    PIECEWORK_TRY(writer.add_batch(layout, &records));
    return records.status();
  }

  const SourceSet& sources_;
  const OpenedStores& stores_;
  const PlanRequest& request_;
  const DagWalkOptions walk_;
  Inventory inventory_;
  std::vector<PlannedDag> dags_;
  size_t next_dag_ = 0;  // the first that is in no batch yet
};

}  // namespace

Result<PlanSummary> make_store_plan(const SourceSet& sources, const OpenedStores& stores, const PlanRequest& request,
                                    const std::string& path) {
  return StorePlanner(sources, stores, request).run(path);
}

}  // namespace piecework::engine
