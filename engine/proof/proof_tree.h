// Which parts of a piece's tree a proof touches: from ranges of the payload to the groups of 127 bytes that they lie in
// (Fr32), the bytes of these groups that no range has (edges), and the subtrees beside them (boundary).
//
// The group with the last byte of the payload is always touched: so a proof shows that what follows it is zero.
// Source: formats.md 8.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/piece/piece_size.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

struct PayloadRange {
  uint64_t begin_bytes = 0;
  uint64_t end_bytes = 0;
};

// A node of the tree: index 0 is the leftmost of its height.
struct TreeNode {
  unsigned height = 0;
  uint64_t index = 0;
};

// The payload below `node`, as far as there is any.
PayloadRange payload_below(const TreeNode& node, uint64_t payload_bytes);

// Thread-compatible.
class ProofTree {
 public:
  // Errors: kCorrupt (source) where ranges overlap, are empty or pass the payload's end.
  static Result<ProofTree> make(uint64_t payload_bytes, std::vector<PayloadRange> ranges);

  // In order, disjoint.
  const std::vector<PayloadRange>& edges() const { return edges_; }
  uint64_t edge_bytes() const { return edge_bytes_; }

  struct Hashes {
    // The root of a boundary subtree; called from left to right.
    std::function<Result<Digest32>(const TreeNode&)> boundary;
    // Fills `target` with payload that is touched, from `offset_bytes` on.
    std::function<Status(MutableByteSpan target, uint64_t offset_bytes)> payload;
  };
  // The piece's root.
  Result<Digest32> root(const Hashes& hashes) const;
  // Every boundary subtree from left to right.
  Status visit_boundary(const std::function<Status(const TreeNode&)>& visit) const;

 private:
  explicit ProofTree(uint64_t payload_bytes) : payload_bytes_(payload_bytes) {}
  enum class Touched : uint8_t { kNothing, kPartly, kAll };
  Touched touched(const TreeNode& node) const;
  Result<Digest32> node_root(const TreeNode& node, const Hashes& hashes, std::vector<uint8_t>& buffer) const;

  uint64_t payload_bytes_;
  std::vector<PayloadRange> quads_;  // touched, in numbers of groups; disjoint, not adjacent
  std::vector<PayloadRange> edges_;
  uint64_t edge_bytes_ = 0;
};

}  // namespace piecework::engine
