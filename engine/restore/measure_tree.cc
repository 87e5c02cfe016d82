// See measure_tree.h.
#include "engine/restore/measure_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "engine/restore/node_stack.h"
#include "engine/restore/tree_walk.h"
#include "engine/store/cid_map.h"
#include "kernels/base/varint.h"

namespace piecework::engine {
namespace {

uint64_t add_up_to_max(uint64_t a, uint64_t b) {
  uint64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

void add(TreeMeasure& sum, const TreeMeasure& part) {
  sum.entry_count = add_up_to_max(sum.entry_count, part.entry_count);
  sum.content_bytes = add_up_to_max(sum.content_bytes, part.content_bytes);
}

// The content of a dag-pb leaf whose first bytes these are: Data alone, "08 02 12 <length>" first in it.
std::optional<uint64_t> leaf_content_bytes(ByteSpan head, uint64_t block_bytes) {
  if (head.size() < 2 || head[0] != 0x0A) return std::nullopt;
  const DecodedVarint data = decode_varint(head.subspan(1));
  if (data.status != VarintStatus::kOk || 1 + data.length_bytes + data.value != block_bytes) return std::nullopt;
  const ByteSpan message = head.subspan(1 + data.length_bytes);
  if (message.size() < 4 || message[0] != 0x08 || message[1] != 0x02 || message[2] != 0x12) return std::nullopt;
  const DecodedVarint content = decode_varint(message.subspan(3));
  if (content.status != VarintStatus::kOk || content.value > block_bytes) return std::nullopt;
  return content.value;
}

class Measurement {
 public:
  Measurement(BlockReader& reader, const RestoreLimits& limits, const std::atomic<bool>* stop)
      : reader_(reader), limits_(limits), stop_(stop), stack_(reader) {}

  Result<TreeMeasure> run(const Cid& root) {
    sums_.emplace_back();
    PIECEWORK_TRY(take(root.view(), false));
    while (!stack_.empty()) PIECEWORK_TRY(step());
    PIECEWORK_TRY(check_limits(sums_[0]));
    return sums_[0];
  }

 private:
  // Blocks as long may be leaves that are not worth reading.
  static constexpr uint64_t kPeekBlockBytesMin = 8192;

  Status step() {
    if (stop_ != nullptr && stop_->load(std::memory_order_relaxed)) {
      return fail(ErrorCode::kCancelled, ErrorSide::kInternal, "stopped");
    }
    Result<std::optional<NodeLink>> link = stack_.next();
    if (!link && !is_block_fault(link.error())) return tl::unexpected<Error>(std::move(link.error()));
    if (!link || !*link) {
      close_top();
      return {};
    }
    const NodeCursor& parent = stack_.top();
    const bool is_sub_shard =
        parent.kind() == BlockKind::kHamtShard && (*link)->name.size() == parent.shape().prefix_bytes;
    return take((*link)->cid, is_sub_shard);
  }

  void close_top() {
    const TreeMeasure sum = sums_.back();
    if (known_.add(stack_.top_cid().bytes(), measures_.size())) measures_.push_back(sum);
    if (!is_sub_shard_.back()) --directory_count_;
    stack_.pop();
    sums_.pop_back();
    is_sub_shard_.pop_back();
    add(sums_.back(), sum);
  }

  Status take(const CidView& cid, bool is_sub_shard) {
    if (!is_sub_shard) add(sums_.back(), {.entry_count = 1, .content_bytes = 0});
    if (const std::optional<uint64_t> known = known_.find(cid.bytes)) {
      add(sums_.back(), measures_[*known]);
      return {};
    }
    const Result<BlockPlace> place = reader_.find(cid);
    if (!place) return is_block_fault(place.error()) ? Status() : tl::unexpected<Error>(place.error());
    if (cid.codec == kCodecRaw) {
      add(sums_.back(), {.entry_count = 0, .content_bytes = place->length_bytes});
      return {};
    }
    if (cid.codec != kCodecDagPb) return {};
    if (take_leaf(cid, *place)) return {};
    Result<std::unique_ptr<NodeCursor>> node = reader_.open_node(cid, *place);
    if (!node) return is_block_fault(node.error()) ? Status() : tl::unexpected<Error>(std::move(node.error()));
    return take_node(cid, *place, std::move(*node), is_sub_shard);
  }

  // A large leaf is not read: its first bytes say how much it holds.
  bool take_leaf(const CidView& cid, const BlockPlace& place) {
    if (place.length_bytes < kPeekBlockBytesMin) return false;
    std::array<uint8_t, 32> head;
    if (!reader_.peek(cid, place, head)) return false;
    const std::optional<uint64_t> content_bytes = leaf_content_bytes(head, place.length_bytes);
    if (content_bytes) add(sums_.back(), {.entry_count = 0, .content_bytes = *content_bytes});
    return content_bytes.has_value();
  }

  Status take_node(const CidView& cid, const BlockPlace& place, std::unique_ptr<NodeCursor> node, bool is_sub_shard) {
    if (node->kind() == BlockKind::kFile) {
      add(sums_.back(), {.entry_count = 0, .content_bytes = node->content_bytes()});
      return {};
    }
    if (node->kind() != BlockKind::kDirectory && node->kind() != BlockKind::kHamtShard) return {};
    // Shards are at most 21 levels deep in what is well-formed. Nothing is cut off here: a part of a tree that was
    // measured short would be remembered so.
    if (directory_count_ >= limits_.depth_max || stack_.depth() / 22 > limits_.depth_max) {
      return fail(ErrorCode::kUnsupported, ErrorSide::kSource,
                  fmt::format("the tree has more than {} directories in directories; see --max-depth",
                              limits_.depth_max));
    }
    stack_.push(cid, place, std::move(node));
    sums_.emplace_back();
    is_sub_shard_.push_back(is_sub_shard);
    if (!is_sub_shard) ++directory_count_;
    return {};
  }

  Status check_limits(const TreeMeasure& measure) const {
    const auto refuse = [](uint64_t found, std::string_view what, uint64_t max, std::string_view flag) {
      return fail(ErrorCode::kUnsupported, ErrorSide::kSource,
                  fmt::format("the tree comes to {}{} {}, at most {} are accepted; see {}",
                              found == UINT64_MAX ? "over " : "", found, what, max, flag));
    };
    if (measure.entry_count > limits_.entry_count_max) {
      return refuse(measure.entry_count, "entries", limits_.entry_count_max, "--max-entries");
    }
    if (measure.content_bytes > limits_.content_bytes_max) {
      return refuse(measure.content_bytes, "bytes", limits_.content_bytes_max, "--max-bytes");
    }
    return {};
  }

  BlockReader& reader_;
  const RestoreLimits& limits_;
  const std::atomic<bool>* stop_;
  NodeStack stack_;
  std::vector<TreeMeasure> sums_;    // below each node on the stack, and of the whole at the bottom
  std::vector<bool> is_sub_shard_;   // for each node on the stack
  uint64_t directory_count_ = 0;  // on the stack, without sub-shards
  CidMap known_;                     // number in measures_
  std::vector<TreeMeasure> measures_;
};

}  // namespace

Result<TreeMeasure> measure_tree(BlockReader& reader, const Cid& root, const RestoreLimits& limits,
                                 const std::atomic<bool>* stop) {
  return Measurement(reader, limits, stop).run(root);
}

}  // namespace piecework::engine
