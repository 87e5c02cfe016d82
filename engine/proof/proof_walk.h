// The order in which a proof's blocks are come to: from each claim's root down its path to the item, then the item's
// DAG depth first, children in stored order. Who makes a proof and who checks it go the same way.
//
// Of a range only the blocks are visited that hold bytes of it. An identity CID is a block like others.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/proof/proof_format.h"
#include "engine/proof/proof_node.h"
#include "kernels/base/error.h"

namespace piecework::engine {

enum class ProofRole : uint8_t {
  kRoute,     // a directory or shard above the item
  kEntry,     // the item, or an entry of a directory below it
  kShard,     // a further shard of a directory
  kFilePart,  // below the root of a file
};

// One visit of a block; the same CID may be visited often.
struct ProofStep {
  Cid cid;
  ProofRole role = ProofRole::kEntry;
  std::shared_ptr<const std::string> path;  // where the data has it: "" is the data itself
  uint64_t file_offset_bytes = 0;           // of the first content below it
  uint64_t content_bytes = 0;               // kFilePart: as its parent says
  unsigned level = 0;                       // of a shard
  size_t route_index = 0;                   // kRoute: names of the path that are passed
  bool is_item = false;                     // kEntry: the item of its claim
};

// The part of a block that is content of a proof's range: before | data | after.
struct ProofSplit {
  uint64_t before_bytes = 0;
  uint64_t data_bytes = 0;
  uint64_t file_offset_bytes = 0;  // of the first byte of data
};
ProofSplit split_block(const ProofStep& step, const ProofNode& node, uint64_t block_bytes, const ProofRange& range);

class ProofWalkClient {
 public:
  virtual ~ProofWalkClient() = default;
  // Reads the block of `step.cid` and takes it apart. What `node` points into stays until the next call.
  virtual Result<ProofNode> read(const ProofStep& step) = 0;
  // `step` and its block are what their parent said. Children come after it.
  virtual Status accept(const ProofStep& step, const ProofNode& node) = 0;
};

// Thread-compatible. Memory: what is pending on the way down, and the paths of a claim's entries.
class ProofWalk {
 public:
  // `range` counts where the proof has one. Both outlive the walk.
  ProofWalk(const std::vector<std::string_view>& base, const std::optional<ProofRange>& range, ProofWalkClient& client)
      : base_(base), range_(range), client_(client) {}

  // Errors: kCorrupt (source) where a DAG breaks a rule; kNotFound where a path leads nowhere; kInvalidArgument
  // (configuration) for a range that the item does not have; the client's.
  Status run(const ProofClaim& claim);

 private:
  Status visit(const ProofStep& step);
  Status visit_route(const ProofStep& step);
  Status visit_content(const ProofStep& step, const ProofNode& node);
  Status push_entries(const ProofStep& step, const ProofNode& node);
  void push_parts(const ProofStep& step, const ProofNode& node);
  std::string path_text() const;

  const std::vector<std::string_view>& base_;
  const std::optional<ProofRange>& range_;
  ProofWalkClient& client_;
  std::vector<std::string_view> names_;  // of the claim at hand: base, then its own
  std::shared_ptr<const std::string> item_path_;
  std::vector<ProofStep> stack_;
  std::set<std::string> paths_;  // entries of this claim so far
  std::set<Cid> empty_parts_;    // parts of files without content that were visited
};

}  // namespace piecework::engine
