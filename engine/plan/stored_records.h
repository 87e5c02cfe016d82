// The records of stored DAGs in one batch: each block once by whole CID, what occurs again as a reference to the place
// where it stands.
#pragma once

#include <vector>

#include "engine/layout/batch_layout.h"
#include "engine/store/cid_map.h"
#include "engine/store/dag_walk.h"

namespace piecework::engine {

// Lives for one batch; emit() may run once for each root. Thread-compatible.
class StoredRecords : public DagRecords {
 public:
  // Its memory comes from `pages` (null: just memory), which outlives it.
  explicit StoredRecords(const DagWalkOptions& options, PageSource* pages = nullptr)
      : options_(options), roots_(pages), written_(pages) {}

  // `file_sources`: see StoreSource. `external` (may be null) outlives the object and says what is left out.
  void add_root(const Cid& root, BlockStore& store, std::span<const uint32_t> file_sources, ExternalBlocks* external);
  void emit(ByteSpan cid, const LayoutRecord& link, RecordSink* sink, LayoutTotals& totals) override;
  // The first failure of emit().
  const Status& status() const { return status_; }

 private:
  // Where a root is walked.
  struct Origin {
    BlockStore* store = nullptr;
    std::span<const uint32_t> file_sources;
    ExternalBlocks* external = nullptr;
  };

  const DagWalkOptions& options_;
  std::vector<Origin> origins_;
  CidMap roots_;    // indices of their origins
  CidMap written_;  // offsets of sections in the CAR
  Status status_;
};

}  // namespace piecework::engine
