// The order in which a proof's blocks are come to: from each claim's root along its links to the item, then the item's
// DAG depth first, children in stored order. Who makes a proof and who checks it go the same way, a record a visit.
//
// Of a range only the blocks are visited that hold bytes of it. An identity CID is a block like others.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/proof/proof_format.h"
#include "engine/proof/proof_node.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// Blocks below each other: more no tree of files has, and a checker that recurses can bear.
inline constexpr size_t kProofDepthMax = 800;

enum class ProofRole : uint8_t {
  kEntry,     // a claim's root, or an entry of a directory
  kShard,     // a further shard of a directory
  kFilePart,  // below the root of a file
};

// One visit of a block; the same CID may be visited often.
struct ProofStep {
  Cid cid;
  ProofRole role = ProofRole::kEntry;
  std::shared_ptr<const std::string> path;  // where the data has it: "" is the data itself, or is above it
  uint64_t file_offset_bytes = 0;           // of the first content below it
  uint64_t content_bytes = 0;               // kFilePart: as its parent says
  size_t route_index = 0;                   // links of the route that are passed
  size_t depth = 0;                         // blocks above it
  bool is_item = false;                     // the item of its claim
};

// The part of a block that is content of a proof's range: before | data | after.
struct ProofSplit {
  uint64_t before_bytes = 0;
  uint64_t data_bytes = 0;
  uint64_t data_offset_bytes = 0;  // in the data's file
};
ProofSplit split_block(const ProofStep& step, const ProofNode& node, uint64_t block_bytes, const ProofRange& range);

class ProofWalkClient {
 public:
  virtual ~ProofWalkClient() = default;
  // Takes or makes the record of a visit. What the node points into stays until the next call.
  virtual Result<ProofNode> visit(const ProofStep& step) = 0;
  // An entry that stands in the data, before what is below it. `names`: from the claim's root to it, where it is
  // the item.
  virtual Status accept_entry(const ProofStep& step, const ProofNode& node, const std::vector<std::string>& names) = 0;
};

// Thread-compatible. Memory: what is pending on the way down.
class ProofWalk {
 public:
  // REQUIRES: both outlive the walk.
  ProofWalk(const ProofHead& head, ProofWalkClient& client) : head_(head), client_(client) {}

  // Errors: kCorrupt (source) where a DAG breaks a rule; kNotFound where a route leads nowhere; kInvalidArgument
  // (configuration) for a range that the item does not have; the client's.
  Status run(const ProofClaim& claim);

 private:
  Status visit(ProofStep step, const ProofClaim& claim);
  Status check_role(const ProofStep& step, const ProofNode& node) const;
  Status check_item(const ProofStep& step);
  Status check_range(const ProofStep& step, const ProofNode& node) const;
  Status follow(const ProofStep& step, const ProofNode& node, uint64_t link, bool is_last);
  Status push_entries(const ProofStep& step, const ProofNode& node);
  void push_parts(const ProofStep& step, const ProofNode& node);

  const ProofHead& head_;
  ProofWalkClient& client_;
  std::vector<ProofStep> stack_;
  std::vector<std::string> names_;  // of the route so far
  std::vector<std::string> base_;   // of the first claim
  bool has_base_ = false;
};

}  // namespace piecework::engine
