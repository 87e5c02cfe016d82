#include "engine/plan/store_divide.h"

#include <algorithm>
#include <map>

#include "engine/codec/dag_cbor.h"
#include "engine/layout/node_lengths.h"
#include "engine/plan/dag_size.h"
#include "engine/store/cid_map.h"

namespace piecework::engine {
namespace {

// A batch is full where less than a thousandth is left.
constexpr uint64_t kFullOneIn = 1000;
// How far a batch looks for what still fits: roots that are in no batch yet, DAGs that are walked and do not fit, and
// layouts of the directories.
constexpr size_t kLookAheadDags = 4096;
constexpr size_t kMissesMax = 64;
constexpr size_t kRoundsMax = 8;

// What a DAG added to the batch when it was picked.
struct DagPick {
  size_t dag = 0;
  uint64_t bytes = 0;
};

class StoreDivider {
 public:
  StoreDivider(const StoreItems& items, const PlanOptions& options, const DagWalkOptions& walk)
      : inventory_(items.inventory),
        dags_(items.dags),
        stores_(items.stores),
        options_(options),
        walk_(walk),
        is_taken_(items.dags.size()),
        classes_(Dedup::kNone, items.inventory.pages()),
        picks_(items.inventory.pages()),
        blocks_(items.inventory.pages()) {}

  Result<StoreDivision> run() {
    StoreDivision division;
    for (; first_free_ < dags_.size(); ++first_free_) {
      if (is_taken_[first_free_]) continue;
      PIECEWORK_TRY(fill_batch());
      if (is_oversized_) {
        division.oversized_dag = first_free_;
        break;
      }
      division.batches.push_back(picked_ranges());
    }
    return division;
  }

 private:
  // Leaves the batch in picks_, or is_oversized_.
  Status fill_batch() {
    blocks_.clear();
    picks_.clear();
    missed_bytes_.clear();
    dags_bytes_ = 0;
    directories_bytes_ = 0;
    PIECEWORK_TRY(pick(first_free_));
    is_oversized_ = picks_.empty();
    if (is_oversized_) return {};
    for (size_t round = 0; round < kRoundsMax; ++round) {
      PIECEWORK_ASSIGN(directories_bytes_, exact_directories_bytes());
      if (dags_bytes_ + directories_bytes_ > options_.payload_bytes_max) return drop_what_is_over();
      const size_t count = picks_.size();
      if (is_bare()) break;
      PIECEWORK_TRY(pick_what_fits());
      if (picks_.size() == count) break;
    }
    return {};
  }

  // Takes roots in order while they fit, and after the first that does not, later ones, for as far as a batch may look.
  Status pick_what_fits() {
    size_t seen_count = 0;  // from that first one on
    for (size_t dag = first_free_; dag < dags_.size() && seen_count < kLookAheadDags; ++dag) {
      if (is_taken_[dag]) continue;
      if (options_.one_item_per_piece && !is_same_item(dag)) break;
      if (left_bytes() < options_.payload_bytes_max / kFullOneIn || missed_bytes_.size() >= kMissesMax) break;
      if (is_next_part(dag) && is_worth_a_walk(dag, seen_count > 0)) PIECEWORK_TRY(pick(dag));
      if (seen_count > 0 || !is_taken_[dag]) ++seen_count;
    }
    return {};
  }

  bool is_worth_a_walk(size_t dag, bool is_ahead) const {
    const uint64_t link_bytes = link_estimate_bytes(dag);
    if (link_bytes >= left_bytes()) return false;
    const uint64_t left_for_dag_bytes = left_bytes() - link_bytes;
    const auto missed = missed_bytes_.find(dag);
    if (missed != missed_bytes_.end()) return missed->second <= left_for_dag_bytes;
    // Where known blocks are left out, a DAG may add far less than its Tsize.
    return !is_ahead || walk_.external != nullptr || inventory_[dags_[dag].entry].content_bytes <= left_for_dag_bytes;
  }

  // A DAG by itself is the piece's root: there is no directory around it.
  bool is_bare() const { return options_.one_item_per_piece && !dags_[first_free_].part; }
  bool is_same_item(size_t dag) const {
    return dags_[dag].part && dags_[first_free_].part && dags_[dag].part->split == dags_[first_free_].part->split;
  }

  // The parts of an item stay in its order.
  bool is_next_part(size_t dag) const { return !dags_[dag].part || dags_[dag].part->index == 0 || is_taken_[dag - 1]; }

  // Walks a DAG and takes it where it fits.
  Status pick(size_t dag) {
    const bool is_first = picks_.empty();
    const uint64_t link_bytes = is_first ? 0 : link_estimate_bytes(dag);
    PIECEWORK_TRY(inventory_.status());
    DagSize size(blocks_, left_bytes() - link_bytes, kBlocksInBatchMax, inventory_.pages());
    PIECEWORK_TRY(
        walk_stored_dag(*stores_.sources[dags_[dag].source].store, root_of(inventory_, dags_[dag]), {}, walk_, size));
    if (!size.fits()) {
      missed_bytes_[dag] = size.bytes;
      return {};
    }
    blocks_.merge(size.own);
    picks_.push_back({dag, size.bytes});
    is_taken_[dag] = true;
    dags_bytes_ += size.bytes;
    directories_bytes_ += link_bytes;
    return {};
  }

  // Gives back the DAGs that were picked last until the batch fits, which ends it: blocks_ still has theirs. Each was
  // counted without what those before it hold, so what is left is known.
  Status drop_what_is_over() {
    while (dags_bytes_ + directories_bytes_ > options_.payload_bytes_max) {
      const DagPick last = picks_.back();
      is_oversized_ = picks_.size() == 1;
      if (is_oversized_) return {};
      picks_.pop_back();
      is_taken_[last.dag] = false;
      dags_bytes_ -= last.bytes;
      PIECEWORK_ASSIGN(directories_bytes_, exact_directories_bytes());
    }
    return {};
  }

  uint64_t left_bytes() const {
    const uint64_t batch_bytes = dags_bytes_ + directories_bytes_;
    return options_.payload_bytes_max - std::min(options_.payload_bytes_max, batch_bytes);
  }

  // What the directories above the DAGs grow by with one more DAG: a link there, its share of a HAMT's nodes (there are
  // at most 0.3 of some 150 bytes for each entry, on average), and a directory that begins with it.
  uint64_t link_estimate_bytes(size_t dag) const {
    constexpr uint64_t kShardShareBytes = 64;
    constexpr uint64_t kDirectoryBytes = 128;
    const Entry& entry = inventory_[dags_[dag].entry];
    uint64_t bytes =
        pb_link_bytes(entry.cid_bytes, entry.name_bytes + size_t{2}, entry.content_bytes) + kShardShareBytes;
    for (EntryIndex at = range_of(dag).begin; at < dags_[dag].entry; ++at) {
      bytes += kDirectoryBytes + inventory_[at].name_bytes;
    }
    return bytes;
  }

  // Everything in the CAR but the DAGs.
  Result<uint64_t> exact_directories_bytes() {
    if (is_bare()) {
      return car_v1_header_bytes(inventory_[dags_[picks_[0].dag].entry].cid_bytes);
    }
    PIECEWORK_ASSIGN(BatchLayout layout,
                     BatchLayout::compute(inventory_, classes_, options_.profile, picked_ranges()));
    return layout.emit(nullptr).car_bytes;
  }

  // A DAG with the directories that begin directly before it.
  EntryRange range_of(size_t dag) const { return {dag == 0 ? 0 : dags_[dag - 1].entry + 1, dags_[dag].entry + 1}; }

  EntryRanges picked_ranges() const {
    SpillArray<size_t> dags(inventory_.pages(), picks_.size());
    for (size_t i = 0; i < picks_.size(); ++i) {
      picks_.walk_at(i);
      dags[i] = picks_[i].dag;
    }
    std::sort(dags.begin(), dags.end());
    EntryRanges ranges;
    for (const size_t dag : dags) {
      const EntryRange range = range_of(dag);
      if (!ranges.empty() && ranges.back().end == range.begin)
        ranges.back().end = range.end;
      else
        ranges.push_back(range);
    }
    return ranges;
  }

  const Inventory& inventory_;
  const PagedVector<PlannedDag>& dags_;
  const OpenedStores& stores_;
  const PlanOptions& options_;
  const DagWalkOptions& walk_;
  std::vector<bool> is_taken_;  // by DAG: it is in a batch
  size_t first_free_ = 0;
  ContentClasses classes_;

  // Of the batch that is filled.
  bool is_oversized_ = false;  // its first DAG does not fit a piece
  PagedVector<DagPick> picks_;
  CidMap blocks_;
  uint64_t dags_bytes_ = 0;
  uint64_t directories_bytes_ = 0;           // laid out, and estimated for what was picked since
  std::map<size_t, uint64_t> missed_bytes_;  // DAGs that were walked and did not fit: what was counted up to there
};

}  // namespace

Cid root_of(const Inventory& inventory, const PlannedDag& dag) {
  const auto view = decode_cid(inventory.dag_cid(dag.entry));
  PIECEWORK_CHECK(view.has_value());
  return Cid(*view);
}

Result<StoreDivision> divide_stores(const StoreItems& items, const PlanOptions& options, const DagWalkOptions& walk) {
  return StoreDivider(items, options, walk).run();
}

}  // namespace piecework::engine
