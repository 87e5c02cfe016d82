#include "engine/plan/store_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "engine/layout/node_lengths.h"
#include "engine/plan/dag_size.h"
#include "engine/plan/split_dag.h"
#include "engine/plan/store_divide.h"
#include "engine/plan/stored_records.h"
#include "engine/store/cid_map.h"
#include "engine/store/dag_walk.h"

namespace piecework::engine {
namespace {

// Of the memory: what is known about roots and blocks and does not go to the scratch directory. As much is for the
// index of CARs.
constexpr uint64_t kPagesShare = 4;

// A root that is larger than a piece.
struct PlannedSplit {
  Cid root;
  std::string name;  // its entry in the source's directory; empty where it is the source's only root
  uint32_t source = 0;
  SplitDag dag;
};

// Leaves external of a join what stands in parts, and says in which batch; and what is known.
class JoinedParts : public ExternalBlocks {
 public:
  JoinedParts(const SplitDag& split, const CidMap& part_batches, KnownExternal& known)
      : split_(split), part_batches_(part_batches), known_(known) {}

  Status decide(const MetLink& link, VisitedBlock& block) override {
    if (split_.upper.find(link.cid.bytes)) return {};
    const std::optional<uint64_t> batch = part_batches_.find(link.cid.bytes);
    if (!batch) return known_.decide(link, block);  // or missing, which the walk finds by itself
    block.external = StoredBlock::External::kPart;
    block.external_batch = static_cast<uint32_t>(*batch);
    return {};
  }

 private:
  const SplitDag& split_;
  const CidMap& part_batches_;
  KnownExternal& known_;
};

// A root of a source, and the beginning of its CID's text: all of it where the hash is SHA-256.
struct NamedRoot {
  char name[60] = {};
  uint32_t index = 0;
};

class StorePlanner {
 public:
  StorePlanner(const SourceSet& sources, const OpenedStores& stores, const PlanRequest& request)
      : sources_(sources),
        stores_(stores),
        request_(request),
        known_(request.known != nullptr ? &request.known->blocks() : nullptr),
        pages_(request.scratch_path, request.memory_bytes / kPagesShare),
        walk_{.stop = request.stop, .allows_missing = request.options.partial} {
    if (request.known != nullptr && request.known_grain == KnownGrain::kBlock) walk_.external = &known_;
  }

  Result<PlanSummary> run(const std::string& path) {
    PIECEWORK_ASSIGN(const std::vector<EntryRanges> batches, divide());
    // From here the DAGs of every batch are fixed, and with them everything that is packed.
    PIECEWORK_ASSIGN(const std::unique_ptr<PlanWriter> writer, PlanWriter::create(path, request_.options));
    for (const EntryRanges& batch : batches) PIECEWORK_TRY(add_batch(*writer, batch));
    // From here it is known which batch holds which part.
    for (const PlannedSplit& split : splits_) PIECEWORK_TRY(add_join(*writer, split));
    inventory_.known.block_count = left_out_.block_count;
    inventory_.known.block_bytes = left_out_.block_bytes;
    warn_of_opaque_blocks();
    return writer->finish(inventory_, {});
  }

 private:
  // Tsize counts every block, shared ones more than once: where it is far below a piece, nobody needs to walk. A DAG
  // that is larger than its Tsize says is found out while dividing, and cut in another round.
  Result<std::vector<EntryRanges>> divide() {
    for (;;) {
      inventory_ = Inventory(&pages_);
      dags_.clear();
      splits_.clear();
      PIECEWORK_TRY(take_inventory());
      if (dags_.empty() && splits_.empty()) return nothing_to_pack();
      PIECEWORK_ASSIGN(StoreDivision division, divide_stores({inventory_, dags_, stores_}, request_.options, walk_));
      if (!division.oversized_dag) return std::move(division.batches);
      const PlannedDag& dag = dags_[*division.oversized_dag];
      if (dag.part) return too_large(dag);
      large_roots_.push_back(root_of(inventory_, dag));
    }
  }

  void warn_of_opaque_blocks() const {
    if (opaque_.count == 0 || !request_.warning) return;
    request_.warning(fmt::format("{} blocks have codecs whose links are not known; they are packed, what they may link "
                                 "to is not: {}{}",
                                 opaque_.count, fmt::join(opaque_.first, ", "),
                                 opaque_.count > opaque_.first.size() ? ", ..." : ""));
  }

  tl::unexpected<Error> nothing_to_pack() const {
    return fail(ErrorCode::kNotFound, ErrorSide::kSource,
                fmt::format("'{}' has nothing to pack{}", printable(sources_.sources().front().path),
                            request_.options.partial || request_.options.all_blocks
                                ? ": no block is there"
                                : ": nothing is pinned and there is no MFS root; name roots with --roots FILE"));
  }

  tl::unexpected<Error> too_large(const PlannedDag& dag) const {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("{} does not fit a piece of {} with the directories above it: choose a larger --piece-size",
                            root_of(inventory_, dag).text(), request_.options.piece_size_text));
  }

  Status take_inventory() {
    inventory_.sources = sources_.sources();
    inventory_.root_joins_sources = sources_.joined();
    inventory_.known = stores_.known;
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

  // The order of a directory's entries; of equal ones the first.
  SpillArray<NamedRoot> roots_by_name(const std::vector<Cid>& cids) {
    SpillArray<NamedRoot> roots(&pages_, cids.size());
    for (uint32_t i = 0; i < cids.size(); ++i) {
      roots[i].index = i;
      cids[i].text().copy(roots[i].name, sizeof roots[i].name);
    }
    const auto order = [&cids](const NamedRoot& a, const NamedRoot& b) {
      const int names = std::memcmp(a.name, b.name, sizeof a.name);
      if (names != 0 || cids[a.index] == cids[b.index]) return names;
      return cids[a.index].text().compare(cids[b.index].text());
    };
    std::sort(roots.begin(), roots.end(), [&](const NamedRoot& a, const NamedRoot& b) { return order(a, b) < 0; });
    const auto last = std::unique(roots.begin(), roots.end(),
                                  [&](const NamedRoot& a, const NamedRoot& b) { return order(a, b) == 0; });
    roots.shrink_to(static_cast<size_t>(last - roots.begin()));
    return roots;
  }

  // The source's only root, or a directory that names each root by its CID; nothing where it only lends blocks.
  Status add_source(uint32_t source, std::string_view name) {
    const std::vector<Cid>& cids = stores_.sources[source].roots;
    const SpillArray<NamedRoot> roots = roots_by_name(cids);
    if (roots.empty()) return {};
    if (roots.size() == 1 && !stores_.sources[source].lists_roots) {
      return add_root(source, name, {}, cids[roots[0].index]);
    }
    const EntryIndex directory = inventory_.open_directory(name);
    for (const NamedRoot& root : roots) {
      const std::string text = cids[root.index].text();
      PIECEWORK_TRY(add_root(source, text, text, cids[root.index]));
    }
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
                             .link_bytes_max = link_bound_bytes(kCidBytesMax, kDagPartNameBytes),
                             .blocks_in_part_max = kBlocksInBatchMax};
    PIECEWORK_ASSIGN(SplitDag dag, split_dag(store_of(source), root, walk_, limits));
    splits_.push_back({root, std::string(name_in_source), source, std::move(dag)});
    // All below the root is known or missing, and the join is all there is.
    if (splits_.back().dag.parts.empty()) return {};
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

  Result<bool> fits_a_piece(uint32_t source, const Cid& root, uint64_t tsize) {
    if (std::find(large_roots_.begin(), large_roots_.end(), root) != large_roots_.end()) return false;
    if (root.view().codec == kCodecDagPb && tsize < capacity_bytes() / 2) return true;
    const CidMap nothing;
    const uint64_t around_bytes = kDirectoriesBoundBytes + link_bound_bytes(root.bytes().size(), kNameBytesMax);
    DagSize size(nothing, capacity_bytes() - std::min(capacity_bytes(), around_bytes), kBlocksInBatchMax, &pages_);
    PIECEWORK_TRY(walk_stored_dag(store_of(source), root, {}, walk_, size));
    return size.fits();
  }

  // At most what the directories above a DAG come to for it: a link, shards of a HAMT.
  static uint64_t link_bound_bytes(size_t cid_bytes, size_t name_bytes) {
    constexpr uint64_t kShardShareBytes = 256;
    return pb_link_bytes(static_cast<uint32_t>(cid_bytes), name_bytes + 2, UINT64_MAX) + kShardShareBytes;
  }
  static constexpr uint64_t kDirectoriesBoundBytes = 4096;
  static constexpr size_t kNameBytesMax = 255;

  Status add_batch(PlanWriter& writer, const EntryRanges& ranges) {
    StoredRecords records(walk_, opaque_, &pages_);
    BatchParts parts;
    for (const EntryRange& range : ranges) add_roots(writer, range, records, parts);
    ContentClasses classes(Dedup::kNone, &pages_);
    const bool is_bare = request_.options.one_item_per_piece && parts.empty();
    if (is_bare) return add_bare_batch(writer, ranges.back().end - 1, records, classes);
    PIECEWORK_ASSIGN(BatchLayout layout, BatchLayout::compute(inventory_, classes, request_.options.profile, ranges));
    return write_batch(writer, layout, records, {.parts = std::move(parts)});
  }

  void add_roots(const PlanWriter& writer, EntryRange range, StoredRecords& records, BatchParts& parts) {
    for (size_t i = first_dag_from(range.begin); i < dags_.size() && dags_[i].entry < range.end; ++i) {
      const PlannedDag& dag = dags_[i];
      const StoreSource& source = stores_.sources[dag.source];
      records.add_root(root_of(inventory_, dag), *source.store, source.file_sources, nullptr);
      if (!dag.part) continue;
      const PlannedSplit& split = splits_[dag.part->split];
      const DagPart& part = split.dag.parts[dag.part->index];
      parts.push_back({item_path(split, part.name), item_path(split, part.path), part.cid});
      part_batches_.add(part.cid.bytes(), writer.batch_count());
    }
  }

  size_t first_dag_from(EntryIndex entry) const {
    size_t begin = 0;
    for (size_t end = dags_.size(); begin < end;) {
      const size_t middle = begin + (end - begin) / 2;
      if (dags_[middle].entry < entry)
        begin = middle + 1;
      else
        end = middle;
    }
    return begin;
  }

  // One DAG by itself: its root is the piece's.
  Status add_bare_batch(PlanWriter& writer, EntryIndex entry, StoredRecords& records, ContentClasses& classes) {
    Inventory alone;
    alone.add_dag({}, inventory_.dag_cid(entry), inventory_[entry].content_bytes);
    PIECEWORK_ASSIGN(BatchLayout layout, BatchLayout::compute(alone, classes, request_.options.profile, {{0, 1}}));
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
    JoinedParts external(split.dag, part_batches_, known_);
    StoredRecords records(walk_, opaque_, &pages_);
    records.add_root(split.root, store_of(split.source), stores_.sources[split.source].file_sources, &external);
    ContentClasses classes(Dedup::kNone);
    PIECEWORK_ASSIGN(BatchLayout layout,
                     BatchLayout::compute(join, classes, request_.options.profile, {{0, join.entry_count()}}));
    return write_batch(writer, layout, records, {.is_join = true, .join_path = item_path(split, {})});
  }

  Status write_batch(PlanWriter& writer, BatchLayout& layout, StoredRecords& records, BatchRole role) {
    PIECEWORK_TRY(writer.add_batch(layout, {.dags = &records}, std::move(role)));
    PIECEWORK_TRY(records.status());
    PIECEWORK_TRY(pages_.status());
    left_out_.block_count += records.known().count();
    left_out_.block_bytes += std::min(records.known().bytes(), UINT64_MAX - left_out_.block_bytes);
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

  const SourceSet& sources_;
  const OpenedStores& stores_;
  const PlanRequest& request_;
  KnownExternal known_;
  PageSource pages_;
  DagWalkOptions walk_;
  KnownTotals left_out_;  // the blocks
  Inventory inventory_{&pages_};
  PagedVector<PlannedDag> dags_{&pages_};
  std::vector<PlannedSplit> splits_;
  std::vector<Cid> large_roots_;  // whose Tsize says less than they are
  CidMap part_batches_;           // the batch of each part
  OpaqueBlocks opaque_;
};

}  // namespace

Result<PlanSummary> make_store_plan(const SourceSet& sources, const OpenedStores& stores, const PlanRequest& request,
                                    const std::string& path) {
  return StorePlanner(sources, stores, request).run(path);
}

}  // namespace piecework::engine
