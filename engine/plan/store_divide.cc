#include "engine/plan/store_divide.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/layout/node_lengths.h"
#include "engine/store/cid_map.h"

namespace piecework::engine {
namespace {

// What planning a batch keeps of each block in memory comes to at most 85 bytes.
constexpr size_t kBlocksInBatchMax = size_t{16} << 20;

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

class StoreDivider {
 public:
  StoreDivider(const StoreItems& items, const PlanOptions& options, const DagWalkOptions& walk)
      : inventory_(items.inventory), dags_(items.dags), stores_(items.stores), options_(options), walk_(walk) {}

  Result<std::vector<EntryRange>> run() {
    std::vector<EntryRange> ranges;
    const uint64_t capacity_bytes = options_.payload_bytes_max;
    CidMap batch;
    uint64_t batch_bytes = kDirectoriesBoundBytes;
    EntryIndex begin = 0;
    for (size_t i = 0; i < dags_.size(); ++i) {
      const bool is_first = batch.size() == 0;
      const uint64_t link_bytes = link_bound_bytes(dags_[i]);
      const uint64_t left_bytes = capacity_bytes - std::min(capacity_bytes, batch_bytes + link_bytes);
      SizeVisitor size(batch, left_bytes);
      PIECEWORK_TRY(
          walk_stored_dag(*stores_.sources[dags_[i].source].store, root_of(inventory_, dags_[i]), {}, walk_, size));
      if (is_first && size.has_too_many()) return too_many(dags_[i]);
      if (size.fits() && !size.has_too_many() && (is_first || !options_.one_item_per_piece)) {
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

 private:
  // At most what the directories above the DAGs come to for one more DAG: a link there, shards of a HAMT, and for the
  // first DAG of a batch the directories themselves.
  uint64_t link_bound_bytes(const PlannedDag& dag) const {
    constexpr uint64_t kShardShareBytes = 256;
    const Entry& entry = inventory_[dag.entry];
    return pb_link_bytes(entry.cid_bytes, entry.name_bytes + size_t{2}, entry.content_bytes) + kShardShareBytes;
  }
  static constexpr uint64_t kDirectoriesBoundBytes = 4096;

  tl::unexpected<Error> too_many(const PlannedDag& dag) const {
    return fail(
        ErrorCode::kResourceExhausted, ErrorSide::kSource,
        fmt::format("the DAG {} has more than {} blocks, too many for one piece; pack it from CARs of its parts",
                    root_of(inventory_, dag).text(), kBlocksInBatchMax));
  }

  tl::unexpected<Error> too_large(const PlannedDag& dag) const {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("the DAG {} does not fit a piece of {}: choose a larger --piece-size",
                            root_of(inventory_, dag).text(), options_.piece_size_text));
  }

  const Inventory& inventory_;
  const std::span<const PlannedDag> dags_;
  const OpenedStores& stores_;
  const PlanOptions& options_;
  const DagWalkOptions& walk_;
};

}  // namespace

Cid root_of(const Inventory& inventory, const PlannedDag& dag) {
  const auto view = decode_cid(inventory.dag_cid(dag.entry));
  PIECEWORK_CHECK(view.has_value());
  return Cid(*view);
}

Result<std::vector<EntryRange>> divide_stores(const StoreItems& items, const PlanOptions& options,
                                              const DagWalkOptions& walk) {
  return StoreDivider(items, options, walk).run();
}

}  // namespace piecework::engine
