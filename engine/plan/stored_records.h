// The records of stored DAGs in one batch: each block once by whole CID, what occurs again as a reference to the place
// where it stands.
#pragma once

#include <vector>

#include "engine/layout/batch_layout.h"
#include "engine/store/cid_map.h"
#include "engine/store/dag_walk.h"

namespace piecework::engine {

// The known blocks that a batch leaves external, each once, and what the links to them say is there and below.
class KnownLeftOut {
 public:
  void add(ByteSpan cid, uint64_t tsize);
  uint64_t count() const { return seen_.size(); }
  uint64_t bytes() const { return bytes_; }

 private:
  CidMap seen_;
  uint64_t bytes_ = 0;
};

// Blocks of codecs whose links are not known: packed as leaves, and said.
struct OpaqueBlocks {
  static constexpr size_t kNamedMax = 10;

  uint64_t count = 0;
  std::vector<std::string> first;  // CIDs as text, at most kNamedMax

  void add(const CidView& cid) {
    if (++count <= kNamedMax) first.push_back(cid_text(cid.bytes));
  }
};

// Lives for one batch; emit() may run once for each root. Thread-compatible.
class StoredRecords : public DagRecords {
 public:
  // `opaque` grows by the batch's. Its memory comes from `pages` (null: just memory), which outlives it.
  StoredRecords(const DagWalkOptions& options, OpaqueBlocks& opaque, PageSource* pages = nullptr)
      : options_(options), opaque_(opaque), roots_(pages), written_(pages) {}

  // `file_sources`: see StoreSource. `external` outlives the object and says what is left out; null: options.external.
  void add_root(const Cid& root, BlockStore& store, std::span<const uint32_t> file_sources, ExternalBlocks* external);
  void emit(ByteSpan cid, const LayoutRecord& link, RecordSink* sink, LayoutTotals& totals) override;
  // The first failure of emit().
  const Status& status() const { return status_; }
  const KnownLeftOut& known() const { return known_; }

 private:
  // Where a root is walked.
  struct Origin {
    BlockStore* store = nullptr;
    std::span<const uint32_t> file_sources;
    ExternalBlocks* external = nullptr;
  };

  const DagWalkOptions& options_;
  OpaqueBlocks& opaque_;
  std::vector<Origin> origins_;
  CidMap roots_;    // indices of their origins
  CidMap written_;  // offsets of sections in the CAR
  KnownLeftOut known_;
  Status status_;
};

}  // namespace piecework::engine
