#include "engine/plan/divide.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "engine/layout/file_shape.h"
#include "engine/layout/node_lengths.h"

namespace piecework::engine {
namespace {

// A batch this full is not worth another layout of everything in it: what is left is under a thousandth.
constexpr uint64_t kFullOneIn = 1000;
// How far a batch looks for what still fits, in items that are in no batch yet, and how many layouts that may take.
constexpr size_t kLookAheadItems = 4096;
constexpr size_t kLookAheadRounds = 8;

// Something taken whole into a batch, and the estimated CAR bytes of the batch up to and with it.
struct Pick {
  EntryRange entries;
  uint64_t estimated_bytes = 0;
};

// Both ascending, and so is what comes back, in as few ranges as there can be. REQUIRES: no two overlap.
EntryRanges joined(const EntryRanges& a, const EntryRanges& b) {
  EntryRanges ranges;
  const auto add = [&](const EntryRange& range) {
    if (!ranges.empty() && ranges.back().end == range.begin)
      ranges.back().end = range.end;
    else
      ranges.push_back(range);
  };
  auto next = b.begin();
  for (const EntryRange& range : a) {
    while (next != b.end() && next->begin < range.begin) add(*next++);
    add(range);
  }
  while (next != b.end()) add(*next++);
  return ranges;
}

class Divider {
 public:
  Divider(const Inventory& inventory, ContentClasses& classes, const PlanOptions& options)
      : inventory_(inventory), classes_(classes), options_(options), walk_(inventory), picks_(inventory.pages()) {
    collect_item_ends();
  }

  Result<std::vector<EntryRanges>> run() {
    std::vector<EntryRanges> batches;
    while (first_free() < inventory_.entry_count()) {
      PIECEWORK_TRY(fill_batch());
      batches.push_back(picked_ranges(picks_.size()));
      // Every batch begins with the first entry that is free, so what is taken stays in one piece up to there.
      taken_ = joined(taken_, batches.back());
    }
    return batches;
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

  // The first entry that is in no batch yet.
  EntryIndex first_free() const { return taken_.empty() ? 0 : taken_.front().end; }

  // The same at or after `entry`.
  EntryIndex free_from(EntryIndex entry) const {
    const auto ends_after = [](EntryIndex at, const EntryRange& range) { return at < range.end; };
    const auto range = std::upper_bound(taken_.begin(), taken_.end(), entry, ends_after);
    return range == taken_.end() || entry < range->begin ? entry : range->end;
  }

  // End of the item that starts at `begin`, or of the file where the item is divided.
  EntryIndex next_end(EntryIndex begin) const {
    if (begin >= divided_end_) {
      const auto end = std::upper_bound(item_ends_.begin(), item_ends_.end(), begin);
      if (end != item_ends_.end()) return *end;
    }
    return leaf_at(begin) + 1;
  }

  EntryIndex leaf_at(EntryIndex entry) const {
    while (!inventory_.is_leaf(entry)) ++entry;
    return entry;
  }

  // Section and link of an entry: without HAMT nodes above the first level and without duplicates.
  uint64_t estimate(EntryIndex entry) const {
    const Entry& record = inventory_[entry];
    const uint64_t link_name_bytes = uint64_t{2} + record.name_bytes;
    const uint32_t node_cid_bytes = options_.profile.node_cid_bytes();
    if (record.kind == EntryKind::kFilePart) {
      const FilePart part = inventory_.file_part(entry);
      const FileShape shape(part.file_bytes, options_.profile);
      return shape.subtree(part.place, options_.profile).sections_bytes +
             pb_link_bytes(node_cid_bytes, link_name_bytes, record.content_bytes);
    }
    if (record.kind != EntryKind::kFile) {
      return section_bytes(node_cid_bytes, 4 + record.content_bytes) +
             pb_link_bytes(node_cid_bytes, link_name_bytes, 0);
    }
    const FileShape shape(record.content_bytes, options_.profile);
    return shape.sections_bytes() + pb_link_bytes(node_cid_bytes, link_name_bytes, shape.root().tsize);
  }

  // Of the entries and of the directories that reach into them and begin after what was picked before.
  uint64_t estimate(EntryRange entries, EntryIndex picked_end) {
    uint64_t bytes = 0;
    for (EntryIndex entry = entries.begin; entry < entries.end; ++entry) {
      walk_.at(entry, inventory_.entry_count());
      bytes += estimate(entry);
    }
    for (EntryIndex at = entries.begin; at > picked_end;) {
      at = inventory_.parent(at);
      if (at >= picked_end) bytes += estimate(at);
    }
    return bytes;
  }

  void pick(EntryRange entries) {
    const Pick last = picks_.empty() ? Pick{} : picks_.back();
    picks_.push_back({entries, last.estimated_bytes + estimate(entries, last.entries.end)});
  }

  // Picks what is free, in order, until the estimate passes `target_bytes`.
  void pick_in_order(uint64_t target_bytes) {
    while (picks_.empty() || picks_.back().estimated_bytes <= target_bytes) {
      const EntryIndex begin = free_from(picks_.empty() ? 0 : picks_.back().entries.end);
      if (begin == inventory_.entry_count()) break;
      pick({begin, next_end(begin)});
    }
  }

  EntryRanges picked_ranges(size_t pick_count) const {
    EntryRanges ranges;
    for (size_t i = 0; i < pick_count; ++i) {
      picks_.walk_at(i);
      const EntryRange& entries = picks_[i].entries;
      if (!ranges.empty() && ranges.back().end == entries.begin)
        ranges.back().end = entries.end;
      else
        ranges.push_back(entries);
    }
    return ranges;
  }

  // The CAR of the first picks.
  Result<uint64_t> exact_bytes(size_t pick_count) {
    PIECEWORK_ASSIGN(BatchLayout layout,
                     BatchLayout::compute(inventory_, classes_, options_.profile, picked_ranges(pick_count)));
    const uint64_t car_bytes = layout.emit(nullptr).car_bytes;
    PIECEWORK_TRY(inventory_.status());
    return car_bytes;
  }

  // The last pick whose estimate is at most `target_bytes`, but at least `least`.
  size_t pick_below(uint64_t target_bytes, size_t least) const {
    size_t begin = 0;  // of what may be over the target; what is before is not
    for (size_t end = picks_.size(); begin < end;) {
      const size_t middle = begin + (end - begin) / 2;
      if (picks_[middle].estimated_bytes <= target_bytes)
        begin = middle + 1;
      else
        end = middle;
    }
    return std::max(least, begin == 0 ? 0 : begin - 1);
  }

  bool is_full(uint64_t car_bytes) const {
    return options_.payload_bytes_max - car_bytes < options_.payload_bytes_max / kFullOneIn;
  }

  // Leaves the batch in picks_.
  Status fill_batch() {
    for (;;) {
      picks_.clear();
      PIECEWORK_ASSIGN(const std::optional<uint64_t> car_bytes, fill_in_order());
      if (car_bytes) return look_ahead(*car_bytes);
      const EntryIndex leaf = leaf_at(first_free());
      if (next_end(first_free()) == leaf + 1) return too_large(leaf);
      divided_end_ = next_end(first_free());
    }
  }

  tl::unexpected<Error> too_large(EntryIndex leaf) const {
    return fail(
        ErrorCode::kInvalidArgument, ErrorSide::kConfig,
        fmt::format("'{}' ({} bytes) with its directories does not fit a piece of {}: choose a larger --piece-size",
                    printable(inventory_.path(leaf)), inventory_[leaf].content_bytes, options_.piece_size_text));
  }

  // Picks items in order while they fit; the CAR's bytes, or none where not even the first one fits.
  Result<std::optional<uint64_t>> fill_in_order() {
    const uint64_t capacity = options_.payload_bytes_max;
    pick_in_order(capacity);
    size_t at = pick_below(capacity, 0);
    size_t best = SIZE_MAX;  // the last pick of what was measured and fits
    uint64_t best_bytes = 0;
    size_t too_large = SIZE_MAX;
    for (;;) {
      PIECEWORK_ASSIGN(const uint64_t bytes, exact_bytes(at + 1));
      if (bytes > capacity) {
        too_large = at;
        if (at == 0) return std::nullopt;
        if (best != SIZE_MAX && best + 1 >= at) break;
        // Give up about what is over, at least one pick.
        const uint64_t over_bytes = bytes - capacity;
        const uint64_t target_bytes = picks_[at].estimated_bytes - std::min(picks_[at].estimated_bytes, over_bytes);
        const size_t least = best == SIZE_MAX ? 0 : best + 1;
        at = std::max(least, std::min(at - 1, pick_below(target_bytes, 0)));
        continue;
      }
      best = at;
      best_bytes = bytes;
      const uint64_t target_bytes = picks_[at].estimated_bytes + (capacity - bytes);
      pick_in_order(target_bytes);
      const size_t limit = std::min(too_large, picks_.size()) - 1;
      if (best >= limit) break;
      const size_t next = std::min(limit, std::max(best + 1, pick_below(target_bytes, 0)));
      if (is_full(bytes) && next == best + 1) break;  // one more small step
      at = next;
    }
    picks_.shrink_to(best + 1);
    return best_bytes;
  }

  // Fills what the next item left free with later ones that fit, in order, for as far as a batch may look. The item
  // itself opens the next batch: nothing waits for ever.
  Status look_ahead(uint64_t car_bytes) {
    const EntryIndex next = free_from(picks_.back().entries.end);
    if (next == inventory_.entry_count()) return {};
    EntryIndex at = next_end(next);
    size_t seen_count = 1;
    for (size_t round = 0; round < kLookAheadRounds && !is_full(car_bytes); ++round) {
      const size_t kept = picks_.size();
      pick_what_fits(options_.payload_bytes_max - car_bytes, at, seen_count);
      if (picks_.size() == kept) break;
      PIECEWORK_ASSIGN(car_bytes, drop_what_is_over(kept, car_bytes));
    }
    return {};
  }

  // Picks free items from `at` on whose estimates fit `left_bytes` together; moves `at` behind the last one seen.
  void pick_what_fits(uint64_t left_bytes, EntryIndex& at, size_t& seen_count) {
    const uint64_t enough_bytes = options_.payload_bytes_max / kFullOneIn;
    for (; seen_count < kLookAheadItems && left_bytes >= enough_bytes; ++seen_count) {
      const EntryIndex begin = free_from(at);
      if (begin == inventory_.entry_count()) break;
      at = next_end(begin);
      const uint64_t before_bytes = picks_.back().estimated_bytes;
      pick({begin, at});
      const uint64_t item_bytes = picks_.back().estimated_bytes - before_bytes;
      if (item_bytes > left_bytes)
        picks_.pop_back();
      else
        left_bytes -= item_bytes;
    }
  }

  // Measures the picks, and drops of those after the first `kept`, which come to `kept_bytes`, the last ones until all
  // fit. Returns what they come to.
  Result<uint64_t> drop_what_is_over(size_t kept, uint64_t kept_bytes) {
    for (size_t drop_count_min = 1; picks_.size() > kept; drop_count_min *= 2) {
      PIECEWORK_ASSIGN(const uint64_t bytes, exact_bytes(picks_.size()));
      if (bytes <= options_.payload_bytes_max) return bytes;
      const uint64_t estimated_bytes = picks_.back().estimated_bytes;
      const uint64_t over_bytes = bytes - options_.payload_bytes_max;
      const size_t size_max = picks_.size() - std::min(drop_count_min, picks_.size() - kept);
      while (picks_.size() > size_max ||
             (picks_.size() > kept && estimated_bytes - picks_.back().estimated_bytes < over_bytes)) {
        picks_.pop_back();
      }
    }
    return kept_bytes;
  }

  const Inventory& inventory_;
  ContentClasses& classes_;
  const PlanOptions& options_;
  InventoryWalk walk_;  // of the estimates
  std::vector<EntryIndex> item_ends_;
  EntryIndex divided_end_ = 0;  // of the last item that fits no piece: up to here every file is an item
  EntryRanges taken_;           // by the batches so far
  PagedVector<Pick> picks_;     // of the batch that is filled, ascending
};

}  // namespace

Result<std::vector<EntryRanges>> divide_into_batches(const Inventory& inventory, ContentClasses& classes,
                                                    const PlanOptions& options) {
  return Divider(inventory, classes, options).run();
}

}  // namespace piecework::engine
