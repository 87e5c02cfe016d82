#include "engine/plan/divide.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/layout/file_shape.h"
#include "engine/layout/node_lengths.h"

namespace piecework::engine {
namespace {

// A place where a batch may end, and the estimated CAR bytes from the batch's begin up to it.
struct Cut {
  EntryIndex end = 0;
  uint64_t estimated_bytes = 0;
};

class Divider {
 public:
  Divider(const Inventory& inventory, ContentClasses& classes, const PlanOptions& options)
      : inventory_(inventory), classes_(classes), options_(options) {
    collect_item_ends();
  }

  Result<std::vector<EntryRange>> run() {
    std::vector<EntryRange> ranges;
    EntryIndex begin = 0;
    while (begin < inventory_.entry_count()) {
      PIECEWORK_ASSIGN(const EntryIndex end, fill_batch(begin));
      ranges.push_back({begin, end});
      begin = end;
    }
    return ranges;
  }

 private:
  // Ends of the items that span more than a file, in order; empty for ItemPolicy::kFiles.
  void collect_item_ends() {
    if (options_.items == ItemPolicy::kFiles || inventory_[0].kind != EntryKind::kDirectory) return;
    // Depth of the items below the root: a source is the root or its child, a top item one below.
    const int depth = (inventory_.root_joins_sources ? 1 : 0) + (options_.items == ItemPolicy::kTop ? 1 : 0);
    if (depth == 0) {
      item_ends_.push_back(inventory_.entry_count());
      return;
    }
    for (EntryIndex child = 1; child < inventory_.entry_count(); child = inventory_[child].subtree_end) {
      const bool has_items =
          depth == 2 && inventory_[child].kind == EntryKind::kDirectory && inventory_[child].subtree_end > child + 1;
      if (!has_items) {
        item_ends_.push_back(inventory_[child].subtree_end);
        continue;
      }
      for (EntryIndex item = child + 1; item < inventory_[child].subtree_end; item = inventory_[item].subtree_end) {
        item_ends_.push_back(inventory_[item].subtree_end);
      }
    }
  }

  // End of the item, or file, that starts at `begin`.
  EntryIndex next_end(EntryIndex begin, bool by_files) const {
    if (!by_files) {
      const auto end = std::upper_bound(item_ends_.begin(), item_ends_.end(), begin);
      if (end != item_ends_.end()) return *end;
    }
    EntryIndex leaf = begin;
    while (!inventory_.is_leaf(leaf)) ++leaf;
    return leaf + 1;
  }

  // Sections and links of [begin, end), without HAMT nodes above the first level and without duplicates.
  uint64_t estimate(EntryIndex begin, EntryIndex end) const {
    uint64_t bytes = 0;
    for (EntryIndex entry = begin; entry < end; ++entry) {
      const Entry& record = inventory_[entry];
      uint64_t tsize = 0;
      if (record.kind == EntryKind::kFile) {
        const FileShape shape(record.content_bytes, options_.profile);
        bytes += shape.sections_bytes();
        tsize = shape.root().tsize;
      } else {
        bytes += section_bytes(options_.profile.node_cid_bytes(), 4 + record.content_bytes);
      }
      bytes += pb_link_bytes(options_.profile.node_cid_bytes(), 2 + record.name_bytes, tsize);
    }
    return bytes;
  }

  // Appends cuts until the estimate passes `target_bytes`; false where nothing was left to append.
  bool extend_cuts(EntryIndex begin, uint64_t target_bytes, bool by_files) {
    const size_t before = cuts_.size();
    while (cuts_.empty() || cuts_.back().estimated_bytes <= target_bytes) {
      const Cut last = cuts_.empty() ? Cut{begin, 0} : cuts_.back();
      if (last.end == inventory_.entry_count()) break;
      const EntryIndex end = next_end(last.end, by_files);
      cuts_.push_back({end, last.estimated_bytes + estimate(last.end, end)});
    }
    return cuts_.size() > before;
  }

  Result<uint64_t> exact_bytes(EntryRange range) {
    PIECEWORK_ASSIGN(BatchLayout layout, BatchLayout::compute(inventory_, classes_, options_.profile, range));
    return layout.emit(nullptr).car_bytes;
  }

  // The last cut whose estimate is at most `target_bytes`, but at least `least`.
  size_t cut_below(uint64_t target_bytes, size_t least) const {
    const auto after = std::upper_bound(cuts_.begin(), cuts_.end(), target_bytes,
                                        [](uint64_t bytes, const Cut& cut) { return bytes < cut.estimated_bytes; });
    const size_t index = static_cast<size_t>(after - cuts_.begin());
    return std::max(least, index == 0 ? 0 : index - 1);
  }

  Result<EntryIndex> fill_batch(EntryIndex begin) {
    for (const bool by_files : {false, true}) {
      cuts_.clear();
      PIECEWORK_ASSIGN(const size_t best, fill_batch_by(begin, by_files));
      if (best < cuts_.size()) return cuts_[best].end;
    }
    const EntryIndex leaf = next_end(begin, true) - 1;
    return fail(
        ErrorCode::kInvalidArgument, ErrorSide::kConfig,
        fmt::format("'{}' ({} bytes) with its directories does not fit a piece of {}: choose a larger --piece-size",
                    printable(inventory_.path(leaf)), inventory_[leaf].content_bytes, options_.piece_size_text));
  }

  // Index of the cut to end the batch at; cuts_.size() where not even the first one fits.
  Result<size_t> fill_batch_by(EntryIndex begin, bool by_files) {
    const uint64_t capacity = options_.payload_bytes_max;
    extend_cuts(begin, capacity, by_files);
    size_t at = cut_below(capacity, 0);
    size_t best = SIZE_MAX;  // the largest cut that was measured and fits
    size_t too_large = SIZE_MAX;
    for (;;) {
      PIECEWORK_ASSIGN(const uint64_t bytes, exact_bytes({begin, cuts_[at].end}));
      if (bytes > capacity) {
        too_large = at;
        if (at == 0) return cuts_.size();
        if (best != SIZE_MAX && best + 1 >= at) return best;
        // Give up about what is over, at least one cut.
        const uint64_t over_bytes = bytes - capacity;
        const uint64_t target_bytes = cuts_[at].estimated_bytes - std::min(cuts_[at].estimated_bytes, over_bytes);
        const size_t least = best == SIZE_MAX ? 0 : best + 1;
        at = std::max(least, std::min(at - 1, cut_below(target_bytes, 0)));
        continue;
      }
      best = at;
      const uint64_t target_bytes = cuts_[at].estimated_bytes + (capacity - bytes);
      extend_cuts(begin, target_bytes, by_files);
      const size_t limit = std::min(too_large, cuts_.size()) - 1;
      if (best >= limit) return best;
      const size_t next = std::min(limit, std::max(best + 1, cut_below(target_bytes, 0)));
      // One more small step is not worth a layout of everything once the batch is full to a thousandth.
      if (capacity - bytes < capacity / 1000 && next == best + 1) return best;
      at = next;
    }
  }

  const Inventory& inventory_;
  ContentClasses& classes_;
  const PlanOptions& options_;
  std::vector<EntryIndex> item_ends_;
  std::vector<Cut> cuts_;
};

}  // namespace

Result<std::vector<EntryRange>> divide_into_batches(const Inventory& inventory, ContentClasses& classes,
                                                    const PlanOptions& options) {
  return Divider(inventory, classes, options).run();
}

}  // namespace piecework::engine
