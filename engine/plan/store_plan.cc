#include "engine/plan/store_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/layout/node_lengths.h"
#include "engine/plan/dag_size.h"
#include "engine/plan/split_dag.h"
#include "engine/plan/stored_records.h"
#include "engine/store/cid_map.h"
#include "engine/store/dag_walk.h"

namespace piecework::engine {
namespace {

// What planning a batch keeps of each block in memory comes to at most 85 bytes.
constexpr size_t kBlocksInBatchMax = size_t{16} << 20;

// A subtree of a root that is larger than a piece.
struct PartIndex {
  size_t split = 0;
  size_t index = 0;
};

// A DAG that is packed whole: a root, or a part of one.
struct PlannedDag {
  EntryIndex entry = 0;  // of the inventory, which has its CID
  uint32_t source = 0;
  std::optional<PartIndex> part{};
};

// A root that is larger than a piece.
struct PlannedSplit {
  Cid root;
  std::string name;  // its entry in the source's directory; empty where it is the source's only root
  uint32_t source = 0;
  SplitDag dag;
};

// Leaves external of a join what stands in parts, and says in which batch.
class JoinedParts : public ExternalBlocks {
 public:
  JoinedParts(const SplitDag& split, const CidMap& part_batches) : split_(split), part_batches_(part_batches) {}

  Status decide(const MetLink& link, VisitedBlock& block) override {
    if (split_.upper.find(link.cid.bytes)) return {};
    const std::optional<uint64_t> batch = part_batches_.find(link.cid.bytes);
    if (!batch) return {};  // missing, which the walk finds by itself
    block.external = StoredBlock::External::kPart;
    block.external_batch = static_cast<uint32_t>(*batch);
    return {};
  }

 private:
  const SplitDag& split_;
  const CidMap& part_batches_;
};

class StorePlanner {
 public:
  StorePlanner(const SourceSet& sources, const OpenedStores& stores, const PlanRequest& request)
      : sources_(sources),
        stores_(stores),
        request_(request),
        walk_{.stop = request.stop, .allows_missing = request.options.partial} {}

  Result<PlanSummary> run(const std::string& path) {
    Result<std::vector<EntryRange>> ranges = divide_inventory();
    // A root whose Tsize said that it fits is measured, and cut where it does not.
    while (!ranges && large_roots_.size() > large_roots_measured_) {
      large_roots_measured_ = large_roots_.size();
      ranges = divide_inventory();
    }
    if (!ranges) return tl::unexpected<Error>(std::move(ranges).error());
    // From here the DAGs of every batch are fixed, and with them everything that is packed.
    PIECEWORK_ASSIGN(const std::unique_ptr<PlanWriter> writer, PlanWriter::create(path, request_.options));
    for (const EntryRange& range : *ranges) PIECEWORK_TRY(add_batch(*writer, range));
    // From here it is known which batch holds which part.
    for (const PlannedSplit& split : splits_) PIECEWORK_TRY(add_join(*writer, split));
    return writer->finish(inventory_, {});
  }

 private:
  Result<std::vector<EntryRange>> divide_inventory() {
    inventory_ = Inventory();
    dags_.clear();
    splits_.clear();
    PIECEWORK_TRY(take_inventory());
    if (!dags_.empty()) return divide();
    return fail(ErrorCode::kNotFound, ErrorSide::kSource,
                fmt::format("'{}' has nothing pinned and no MFS root: name roots with --roots FILE",
                            printable(sources_.sources().front().path)));
  }

  Status take_inventory() {
    inventory_.sources = sources_.sources();
    inventory_.root_joins_sources = sources_.joined();
    if (!sources_.joined()) return add_source(0, {});
    std::vector<uint32_t> order(stores_.sources.size());
    for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(),
              [&](uint32_t a, uint32_t b) { return sources_.sources()[a].name < sources_.sources()[b].name; });
    const EntryIndex root = inventory_.open_directory({});
    for (const uint32_t source : order) PIECEWORK_TRY(add_source(source, sources_.sources()[source].name));
    inventory_.close_directory(root);
    return {};
  }

  // The source's only root, or a directory that names each root by its CID; nothing where it only lends blocks.
  Status add_source(uint32_t source, std::string_view name) {
    std::vector<std::pair<std::string, const Cid*>> roots;  // by name: the order of a directory's entries
    for (const Cid& root : stores_.sources[source].roots) roots.emplace_back(root.text(), &root);
    std::sort(roots.begin(), roots.end());
    const auto same_name = [](const auto& a, const auto& b) { return a.first == b.first; };
    roots.erase(std::unique(roots.begin(), roots.end(), same_name), roots.end());
    if (roots.empty()) return {};
    if (roots.size() == 1 && !stores_.sources[source].lists_roots) return add_root(source, name, {}, *roots[0].second);
    const EntryIndex directory = inventory_.open_directory(name);
    for (const auto& [text, root] : roots) PIECEWORK_TRY(add_root(source, text, text, *root));
    inventory_.close_directory(directory);
    return {};
  }

  // The DAG, or, where it is larger than a piece, a directory of its subtrees.
  Status add_root(uint32_t source, std::string_view name, std::string_view name_in_source, const Cid& root) {
    PIECEWORK_ASSIGN(const uint64_t tsize, stored_dag_tsize(store_of(source), root, walk_));
    PIECEWORK_ASSIGN(const bool fits, fits_a_piece(source, root, tsize));
    if (fits) {
      dags_.push_back({inventory_.add_dag(name, root.bytes(), tsize), source});
      return {};
    }
    const SplitLimits limits{.part_bytes_max = capacity_bytes() - std::min(capacity_bytes(), kDirectoriesBoundBytes),
                             .link_bytes_max = link_bound_bytes(kCidBytesMax, kDagPartNameBytes, UINT64_MAX),
                             .blocks_in_part_max = kBlocksInBatchMax};
    PIECEWORK_ASSIGN(SplitDag dag, split_dag(store_of(source), root, walk_, limits));
    splits_.push_back({root, std::string(name_in_source), source, std::move(dag)});
    const EntryIndex directory = inventory_.open_directory(name);
    for (size_t i = 0; i < splits_.back().dag.parts.size(); ++i) {
      const DagPart& part = splits_.back().dag.parts[i];
      PIECEWORK_ASSIGN(const uint64_t part_tsize, stored_dag_tsize(store_of(source), part.cid, walk_));
      const EntryIndex entry = inventory_.add_dag(part.name, part.cid.bytes(), part_tsize);
      dags_.push_back({entry, source, PartIndex{splits_.size() - 1, i}});
    }
    inventory_.close_directory(directory);
    return {};
  }

  // Tsize counts every block, shared ones more than once: where it is far below a piece, nobody needs to walk. A DAG
  // whose Tsize says too little is found out by divide().
  Result<bool> fits_a_piece(uint32_t source, const Cid& root, uint64_t tsize) {
    const bool is_small = root.view().codec == kCodecDagPb && tsize < capacity_bytes() / 2;
    if (is_small && !is_known_large(root)) return true;
    const CidMap nothing;
    const uint64_t around_bytes = kDirectoriesBoundBytes + link_bound_bytes(root.bytes().size(), kNameBytesMax, tsize);
    DagSize size(nothing, capacity_bytes() - std::min(capacity_bytes(), around_bytes), kBlocksInBatchMax);
    PIECEWORK_TRY(walk_stored_dag(store_of(source), root, {}, walk_, size));
    return size.fits();
  }

  bool is_known_large(const Cid& root) const {
    return std::find(large_roots_.begin(), large_roots_.end(), root) != large_roots_.end();
  }

  // At most what the directories above the DAGs come to for one more DAG: a link there, shards of a HAMT, and for the
  // first DAG of a batch the directories themselves.
  static uint64_t link_bound_bytes(size_t cid_bytes, size_t name_bytes, uint64_t tsize) {
    constexpr uint64_t kShardShareBytes = 256;
    return pb_link_bytes(static_cast<uint32_t>(cid_bytes), name_bytes + 2, tsize) + kShardShareBytes;
  }
  uint64_t link_bound_bytes(const PlannedDag& dag) const {
    const Entry& entry = inventory_[dag.entry];
    return link_bound_bytes(entry.cid_bytes, entry.name_bytes, entry.content_bytes);
  }
  static constexpr uint64_t kDirectoriesBoundBytes = 4096;
  static constexpr size_t kNameBytesMax = 255;

  Result<std::vector<EntryRange>> divide() {
    std::vector<EntryRange> ranges;
    CidMap batch;
    uint64_t batch_bytes = kDirectoriesBoundBytes;
    EntryIndex begin = 0;
    for (size_t i = 0; i < dags_.size(); ++i) {
      const bool is_first = batch.size() == 0;
      const uint64_t link_bytes = link_bound_bytes(dags_[i]);
      const uint64_t left_bytes = capacity_bytes() - std::min(capacity_bytes(), batch_bytes + link_bytes);
      DagSize size(batch, left_bytes, kBlocksInBatchMax);
      PIECEWORK_TRY(walk_stored_dag(store_of(dags_[i].source), root_of(dags_[i]), {}, walk_, size));
      if (size.fits() && (is_first || may_join(i))) {
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

  // Whether a DAG that fits may stand in the batch of the one before it.
  bool may_join(size_t dag) const {
    const std::optional<PartIndex>& part = dags_[dag].part;
    if (!part) return !request_.options.one_item_per_piece;
    return !part_of(*part).opens_part;
  }

  tl::unexpected<Error> too_large(const PlannedDag& dag) {
    large_roots_.push_back(root_of(dag));
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("the DAG {} does not fit a piece of {} with the directories above it: choose a larger "
                            "--piece-size",
                            root_of(dag).text(), request_.options.piece_size_text));
  }

  Status add_batch(PlanWriter& writer, EntryRange range) {
    StoredRecords records(walk_);
    BatchParts parts;
    const auto batch = static_cast<uint32_t>(writer.batch_count());
    for (; next_dag_ < dags_.size() && dags_[next_dag_].entry < range.end; ++next_dag_) {
      const PlannedDag& dag = dags_[next_dag_];
      const StoreSource& source = stores_.sources[dag.source];
      records.add_root(root_of(dag), *source.store, source.file_sources, nullptr);
      if (!dag.part) continue;
      const PlannedSplit& split = splits_[dag.part->split];
      const DagPart& part = part_of(*dag.part);
      parts.push_back({item_path(split, part.name), item_path(split, part.path), part.cid});
      part_batches_.add(part.cid.bytes(), batch);
    }
    ContentClasses classes(Dedup::kNone);
    const bool is_bare = request_.options.one_item_per_piece && parts.empty();
    if (is_bare) return add_bare_batch(writer, range.end - 1, records, classes);
    PIECEWORK_ASSIGN(BatchLayout layout, BatchLayout::compute(inventory_, classes, request_.options.profile, range));
    return write_batch(writer, layout, records, {.parts = std::move(parts)});
  }

  // One DAG by itself: its root is the piece's.
  Status add_bare_batch(PlanWriter& writer, EntryIndex entry, StoredRecords& records, ContentClasses& classes) {
    Inventory alone;
    alone.add_dag({}, inventory_.dag_cid(entry), inventory_[entry].content_bytes);
    PIECEWORK_ASSIGN(BatchLayout layout, BatchLayout::compute(alone, classes, request_.options.profile, {0, 1}));
    return write_batch(writer, layout, records, {});
  }

  // The upper nodes of a DAG that was cut, at its path.
  Status add_join(PlanWriter& writer, const PlannedSplit& split) {
    PIECEWORK_ASSIGN(const uint64_t tsize, stored_dag_tsize(store_of(split.source), split.root, walk_));
    Inventory join;
    std::vector<std::string_view> above;  // directories; the last name is the DAG's own
    if (sources_.joined()) above.push_back(sources_.sources()[split.source].name);
    if (!split.name.empty()) above.push_back(split.name);
    std::vector<EntryIndex> open;
    if (!above.empty() && !request_.options.one_item_per_piece) {
      open.push_back(join.open_directory({}));
      for (size_t i = 0; i + 1 < above.size(); ++i) open.push_back(join.open_directory(above[i]));
    }
    join.add_dag(open.empty() ? std::string_view() : above.back(), split.root.bytes(), tsize);
    while (!open.empty()) {
      join.close_directory(open.back());
      open.pop_back();
    }
    JoinedParts external(split.dag, part_batches_);
    StoredRecords records(walk_);
    records.add_root(split.root, store_of(split.source), stores_.sources[split.source].file_sources, &external);
    ContentClasses classes(Dedup::kNone);
    PIECEWORK_ASSIGN(BatchLayout layout,
                     BatchLayout::compute(join, classes, request_.options.profile, {0, join.entry_count()}));
    return write_batch(writer, layout, records, {.is_join = true});
  }

  Status write_batch(PlanWriter& writer, BatchLayout& layout, StoredRecords& records, BatchRole role) {
    PIECEWORK_TRY(writer.add_batch(layout, &records, std::move(role)));
    PIECEWORK_TRY(records.status());
    const PlannedBatch& batch = writer.last_batch();
    const uint64_t car_bytes = batch.totals.car_bytes;
    if (car_bytes <= capacity_bytes()) return {};
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("{} come to {} bytes, more than a piece of {} holds: choose a larger --piece-size",
                            batch.role.is_join ? "the nodes above the parts of a DAG" : "the directories around roots",
                            car_bytes, request_.options.piece_size_text));
  }

  // "<source>/<root>/<below>" as far as they have names.
  std::string item_path(const PlannedSplit& split, std::string_view below) const {
    std::string path;
    const auto append = [&path](std::string_view name) {
      if (name.empty()) return;
      if (!path.empty()) path += '/';
      path += name;
    };
    if (sources_.joined()) append(sources_.sources()[split.source].name);
    append(split.name);
    append(below);
    return path;
  }

  uint64_t capacity_bytes() const { return request_.options.payload_bytes_max; }
  BlockStore& store_of(uint32_t source) const { return *stores_.sources[source].store; }
  const DagPart& part_of(const PartIndex& part) const { return splits_[part.split].dag.parts[part.index]; }
  Cid root_of(const PlannedDag& dag) const {
    const auto view = decode_cid(inventory_.dag_cid(dag.entry));
    PIECEWORK_CHECK(view.has_value());
    return Cid(*view);
  }

  const SourceSet& sources_;
  const OpenedStores& stores_;
  const PlanRequest& request_;
  const DagWalkOptions walk_;
  Inventory inventory_;
  std::vector<PlannedDag> dags_;
  std::vector<PlannedSplit> splits_;
  std::vector<Cid> large_roots_;  // whose Tsize says less than they are
  size_t large_roots_measured_ = 0;
  CidMap part_batches_;           // the batch of each part
  size_t next_dag_ = 0;           // the first that is in no batch yet
};

}  // namespace

Result<PlanSummary> make_store_plan(const SourceSet& sources, const OpenedStores& stores, const PlanRequest& request,
                                    const std::string& path) {
  return StorePlanner(sources, stores, request).run(path);
}

}  // namespace piecework::engine
