// What a DAG adds to a batch: the sections of its blocks that the batch does not hold yet.
#pragma once

#include "engine/store/cid_map.h"
#include "engine/store/dag_walk.h"

namespace piecework::engine {

// Adds up sections of one DAG; ends the walk past a limit. Thread-compatible.
class DagSize : public DagVisitor {
 public:
  // `batch`: blocks that count nothing; outlives the object, as `pages` does (null: just memory).
  DagSize(const CidMap& batch, uint64_t bytes_max, size_t blocks_max, PageSource* pages = nullptr)
      : own(pages), batch_(batch), bytes_max_(bytes_max), blocks_max_(blocks_max) {}

  bool is_known(const CidView& cid) override;
  bool wants_known() const override { return false; }
  bool visit(const VisitedBlock& block, bool known) override;

  bool has_too_many_blocks() const { return batch_.size() + own.size() > blocks_max_; }
  // Otherwise the walk ended early, and the counts are too low.
  bool fits() const { return bytes <= bytes_max_ && !has_too_many_blocks(); }

  CidMap own;  // the blocks that were counted
  uint64_t bytes = 0;
  bool root_has_links = false;
  bool root_is_external = false;

 private:
  const CidMap& batch_;
  uint64_t bytes_max_;
  size_t blocks_max_;
};

}  // namespace piecework::engine
