// The nodes above the place where a walk is, with their links that are still to come; no recursion.
//
// Bytes of nodes beyond a limit are dropped, lowest first, and read again on the way back.
#pragma once

#include <optional>
#include <vector>

#include "engine/restore/block_reader.h"
#include "kernels/base/units.h"

namespace piecework::engine {

// Thread-compatible.
class NodeStack {
 public:
  explicit NodeStack(BlockReader& reader, size_t resident_bytes_max = 64 * kMiB)
      : reader_(reader), resident_bytes_max_(resident_bytes_max) {}

  bool empty() const { return frames_.empty(); }
  size_t depth() const { return frames_.size(); }

  void push(const CidView& cid, const BlockPlace& place, std::unique_ptr<NodeCursor> node);
  void pop();
  // The next link of the top node, or none after its last; valid until the next call. Errors: of reading the node
  // again. REQUIRES: not empty.
  Result<std::optional<NodeLink>> next();
  // REQUIRES: not empty, and next() was called since the last pop().
  const NodeCursor& top() const { return *frames_.back().node; }
  const Cid& top_cid() const { return frames_.back().cid; }
  const BlockPlace& top_place() const { return frames_.back().place; }

 private:
  struct Frame {
    Cid cid;
    BlockPlace place;
    uint64_t links_done = 0;
    std::unique_ptr<NodeCursor> node;  // none while dropped
  };

  BlockReader& reader_;
  size_t resident_bytes_max_;
  std::vector<Frame> frames_;
  size_t resident_bytes_ = 0;
  size_t first_resident_ = 0;  // no frame below has its bytes
};

}  // namespace piecework::engine
