#include "engine/plan/split_dag.h"

#include <fmt/format.h>

#include "engine/layout/node_lengths.h"
#include "engine/plan/dag_size.h"

namespace piecework::engine {
namespace {

// A part that has less left than this is full: going below a subtree for so little would only make an upper node of it.
constexpr uint64_t kFullPartShare = 100;

// Walks the upper nodes; decides about everything else at the link to it.
class Splitter : public DagVisitor, public ExternalBlocks {
 public:
  Splitter(BlockStore& store, const DagWalkOptions& options, const SplitLimits& limits)
      : store_(store), options_(options), limits_(limits) {}

  Result<SplitDag> run(const Cid& root) {
    DagWalkOptions options = options_;
    options.external = this;
    PIECEWORK_TRY(walk_stored_dag(store_, root, {}, options, *this));
    return std::move(split_);
  }

  bool is_known(const CidView& cid) override { return split_.upper.find(cid.bytes).has_value(); }
  bool wants_known() const override { return false; }
  bool visit(const VisitedBlock& block, bool) override {
    if (block.external != StoredBlock::External::kNo) return true;
    if (block.depth == 0) is_file_ = block.role == StoredBlock::Role::kFile;
    names_.resize(block.depth);
    names_.emplace_back(block.name);
    split_.upper.add(block.cid.bytes, 0);
    split_.upper_bytes += section_bytes(static_cast<uint32_t>(block.cid.bytes.size()), block.place.length_bytes);
    return true;
  }

  Status decide(const MetLink& link, VisitedBlock& block) override {
    if (link.depth == 0) return {};  // an upper node: the whole is too large
    if (options_.external != nullptr) PIECEWORK_TRY(options_.external->decide(link, block));
    if (block.external == StoredBlock::External::kNo) {
      PIECEWORK_ASSIGN(block.external, place(link));
    }
    if (block.external != StoredBlock::External::kNo) first_byte_ += link.content_bytes.value_or(0);
    return {};
  }

 private:
  // kNo: the subtree does not fit, and has to be gone below.
  Result<StoredBlock::External> place(const MetLink& link) {
    if (placed_.find(link.cid.bytes)) return StoredBlock::External::kPart;
    for (;;) {
      const uint64_t used_bytes = part_bytes_ + limits_.link_bytes_max;
      const uint64_t left_bytes = limits_.part_bytes_max - std::min(limits_.part_bytes_max, used_bytes);
      DagSize size(part_, left_bytes, limits_.blocks_in_part_max);
      PIECEWORK_TRY(walk_stored_dag(store_, Cid(link.cid), {}, options_, size));
      if (size.root_is_external) return StoredBlock::External::kMissing;
      if (size.fits()) {
        add_part(link, size);
        return StoredBlock::External::kPart;
      }
      const bool is_full = left_bytes < limits_.part_bytes_max / kFullPartShare;
      const bool is_fresh = part_.size() == 0;
      if (size.root_has_links && (is_fresh || !is_full)) return StoredBlock::External::kNo;
      if (is_fresh) return too_long(link);
      part_.clear();
      part_bytes_ = 0;
    }
  }

  void add_part(const MetLink& link, const DagSize& size) {
    // Chunks of no bytes, and sums that no file has, must not lead to two entries of one name.
    const uint64_t rank = split_.parts.size();
    const uint64_t number_min = rank == 0 ? 0 : last_number_ + 1;
    const uint64_t number = is_file_ ? std::max(first_byte_, number_min) : rank;
    last_number_ = number;
    split_.parts.push_back(
        {Cid(link.cid), fmt::format("{:0{}}", number, kDagPartNameBytes), path_of(link), part_.size() == 0});
    placed_.add(link.cid.bytes, 0);
    part_.merge(size.own);
    part_bytes_ += size.bytes + limits_.link_bytes_max;
  }

  std::string path_of(const MetLink& link) const {
    std::string path;
    const auto append = [&path](std::string_view name) {
      if (name.empty()) return;
      if (!path.empty()) path += '/';
      path += name;
    };
    for (size_t i = 0; i < link.depth; ++i) append(names_[i]);
    append(link.name);
    return path;
  }

  tl::unexpected<Error> too_long(const MetLink& link) const {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("the block {} at '{}' does not fit a piece: choose a larger --piece-size",
                            cid_text(link.cid.bytes), printable(path_of(link))));
  }

  BlockStore& store_;
  const DagWalkOptions& options_;
  const SplitLimits& limits_;
  SplitDag split_;
  CidMap placed_;                   // roots of parts
  CidMap part_;                     // the blocks of the part at hand
  uint64_t part_bytes_ = 0;         // of it, links to its subtrees included
  std::vector<std::string> names_;  // of the upper nodes down to the one at hand
  bool is_file_ = false;
  uint64_t first_byte_ = 0;   // of the file, for the subtree at hand
  uint64_t last_number_ = 0;
};

}  // namespace

Result<SplitDag> split_dag(BlockStore& store, const Cid& root, const DagWalkOptions& options,
                           const SplitLimits& limits) {
  return Splitter(store, options, limits).run(root);
}

}  // namespace piecework::engine
