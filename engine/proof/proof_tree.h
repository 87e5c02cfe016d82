// A piece's tree as a proof sees it, from the left to the right: bytes that are known, and what lies beside them.
//
// Beside known bytes lie bytes of the same groups of 127 (Fr32: a group is a subtree of height 2), and between these
// groups the largest subtrees without a known byte. The group with the payload's last byte is known whole: so a proof
// shows that what follows it is zero. Source: formats.md 8.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
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

// What lies beside known bytes, in order.
struct BesideVisitor {
  std::function<Status(const PayloadRange&)> bytes;  // never empty
  std::function<Status(const TreeNode&)> subtree;
};

// Between known bytes: from the end of some, or the payload's begin, to the begin of the next. REQUIRES: in order.
Status visit_beside(PayloadRange gap, const BesideVisitor& visitor);
// Behind the last known byte, which ends at `at_bytes`. REQUIRES: at_bytes <= payload_bytes.
Status visit_rest(uint64_t at_bytes, uint64_t payload_bytes, const BesideVisitor& visitor);

// Makes the root from all that in order. Memory: a segment. Thread-compatible.
class PayloadTree {
 public:
  uint64_t at_bytes() const { return at_bytes_; }
  void append_bytes(ByteSpan bytes);
  // REQUIRES: it begins at at_bytes().
  void append_subtree(const TreeNode& node, const Digest32& root);
  // The root of the piece whose payload ends here.
  Digest32 finish();

 private:
  void hash_buffer();
  void push(unsigned height, Digest32 root);

  uint64_t at_bytes_ = 0;
  std::vector<uint8_t> buffer_;                        // the last bytes, from the begin of a group of one segment
  std::vector<std::pair<unsigned, Digest32>> pending_;  // roots by height, descending
};

}  // namespace piecework::engine
