#include "engine/plan/make_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/layout/file_shape.h"
#include "engine/plan/divide.h"
#include "engine/plan/find_duplicates.h"
#include "engine/plan/leave_out_known.h"
#include "engine/plan/split_files.h"
#include "engine/plan/store_plan.h"

namespace piecework::engine {
namespace {

// Of the memory: what is known about entries and does not go to the scratch directory.
constexpr uint64_t kPagesShare = 2;

// An item that failed while the plan read it is left out of the next attempt.
bool exclude_and_retry(const Error& error, ScanOptions& scan) {
  const bool source_error = error.side == ErrorSide::kSource && !error.path.empty();
  if (scan.on_error != SourceErrorPolicy::kSkip || !source_error) return false;
  const auto by_path = [](const SkippedItem& a, const SkippedItem& b) { return a.path < b.path; };
  const SkippedItem item{error.path, error.message, 0, 0};
  scan.excluded_items.insert(std::upper_bound(scan.excluded_items.begin(), scan.excluded_items.end(), item, by_path),
                             item);
  return true;
}

// Which batch each skipped item would have been in.
std::vector<SkippedItem> skipped_by_batch(const Inventory& inventory, const std::vector<EntryRanges>& batches) {
  std::vector<SkippedItem> skipped = inventory.skipped;
  if (skipped.empty()) return skipped;
  std::vector<std::pair<EntryIndex, uint32_t>> batch_of_end;  // ends of all ranges, ascending
  for (uint32_t batch = 0; batch < batches.size(); ++batch) {
    for (const EntryRange& range : batches[batch]) batch_of_end.emplace_back(range.end, batch);
  }
  std::sort(batch_of_end.begin(), batch_of_end.end());
  for (SkippedItem& item : skipped) {
    const auto after =
        std::upper_bound(batch_of_end.begin(), batch_of_end.end(), item.position,
                         [](EntryIndex position, const auto& end) { return position < end.first; });
    item.batch = after == batch_of_end.end() ? batch_of_end.back().second : after->second;
  }
  return skipped;
}

Status check_not_empty(const Inventory& inventory, const SourceSet& sources) {
  if (inventory.entry_count() > 0 || inventory.known.item_count > 0) return {};
  return fail(ErrorCode::kNotFound, ErrorSide::kSource,
              "nothing is left to pack in '" + printable(sources.sources().front().path) + "'");
}

// The plan in which nothing is new. REQUIRES: an inventory without entries.
Result<PlanSummary> write_empty_plan(const Inventory& inventory, const PlanRequest& request, const std::string& path) {
  PIECEWORK_ASSIGN(const std::unique_ptr<PlanWriter> writer, PlanWriter::create(path, request.options));
  return writer->finish(inventory, inventory.skipped);
}

Result<PlanSummary> plan_stores(const SourceSet& sources, const PlanRequest& request, const std::string& path) {
  PIECEWORK_ASSIGN(OpenedStores stores, OpenedStores::open(sources, request));
  for (const std::string& warning : stores.warnings) {
    if (request.warning) request.warning(warning);
  }
  if (request.known != nullptr) {
    stores.known = leave_out_known_roots(stores.sources, *request.known);
    const auto has_no_roots = [](const StoreSource& source) { return source.roots.empty(); };
    const bool has_none = std::all_of(stores.sources.begin(), stores.sources.end(), has_no_roots);
    if (has_none && stores.known.item_count > 0) {
      Inventory nothing;
      nothing.sources = sources.sources();
      nothing.root_joins_sources = sources.joined();
      nothing.known = stores.known;
      return write_empty_plan(nothing, request, path);
    }
  }
  return make_store_plan(sources, stores, request, path);
}

Result<Inventory> without_known(Inventory inventory, const SourceSet& sources, const PlanRequest& request) {
  if (request.known == nullptr || inventory.entry_count() == 0) return inventory;
  const KnownSearch search{.profile = request.options.profile,
                           .thread_count = request.thread_count,
                           .stop = request.stop,
                           .read_bytes = request.progress != nullptr ? &request.progress->read_bytes : nullptr};
  return leave_out_known(std::move(inventory), sources, *request.known, search);
}

// The upper nodes of a file that was cut: few, so that they fit where their parts do.
Status add_join(PlanWriter& writer, const FileJoin& join, const PlanOptions& options) {
  ContentClasses classes(Dedup::kNone);
  PIECEWORK_ASSIGN(BatchLayout layout, BatchLayout::compute(join.inventory, classes, options.profile,
                                                            {{0, join.inventory.entry_count()}}));
  PIECEWORK_TRY(writer.add_batch(layout, {.external_nodes = join.external_nodes},
                                 {.is_join = true, .join_path = join.path}));
  const uint64_t car_bytes = writer.last_batch().totals.car_bytes;
  if (car_bytes <= options.payload_bytes_max) return {};
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              fmt::format("the nodes above the parts of '{}' come to {} bytes, more than a piece of {} holds: choose a "
                          "larger --piece-size",
                          printable(join.path), car_bytes, options.piece_size_text));
}

}  // namespace

Status check_known_grain(const SourceSet& sources, KnownGrain grain) {
  if (grain == KnownGrain::kItem || sources.holds_stores()) return {};
  return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
              "--known-grain block is for stores, whose blocks have their CIDs already: a kubo repository or CARs; of "
              "other sources whole files are left out");
}

Result<PlanSummary> make_plan(const SourceSet& sources, const PlanRequest& request, const std::string& path) {
  PIECEWORK_TRY(check_known_grain(sources, request.known_grain));
  if (sources.holds_stores()) return plan_stores(sources, request, path);
  const PlanOptions& options = request.options;
  if (!request.roots_path.empty() || options.one_item_per_piece || options.partial || options.all_blocks) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                "--roots, --one-item-per-piece, --partial and --all-blocks are for stores: a kubo repository or CARs");
  }
  PageSource pages(request.scratch_path, request.memory_bytes / kPagesShare);
  ScanOptions scan;
  scan.thread_count = request.thread_count;
  scan.pages = &pages;
  scan.include_hidden = request.options.include_hidden;
  scan.on_error = request.on_source_error;
  scan.excluded_directories = request.excluded_directories;
  scan.excluded_items = request.excluded_items;
  scan.stop = request.stop;
  scan.entries_seen = request.progress != nullptr ? &request.progress->entries_seen : nullptr;
  DuplicateSearch search;
  search.dedup = request.options.dedup;
  search.thread_count = request.thread_count;
  search.stop = request.stop;
  search.read_bytes = request.progress != nullptr ? &request.progress->read_bytes : nullptr;

  for (;;) {
    PIECEWORK_ASSIGN(Inventory everything, scan_sources(sources, scan));
    auto taken = without_known(std::move(everything), sources, request);
    if (!taken) {
      if (exclude_and_retry(taken.error(), scan)) continue;
      return tl::unexpected<Error>(taken.error());
    }
    PIECEWORK_TRY(check_not_empty(*taken, sources));
    if (taken->entry_count() == 0) return write_empty_plan(*taken, request, path);
    PIECEWORK_ASSIGN(const SplitInventory split, split_large_files(std::move(*taken), request.options));
    const Inventory& inventory = split.inventory;
    // From here the set of entries is fixed.
    auto classes = find_duplicates(inventory, sources, request.options.profile, search);
    if (!classes) {
      if (exclude_and_retry(classes.error(), scan)) continue;
      return tl::unexpected<Error>(std::move(classes).error());
    }
    // From here no source is read any more: what follows is a function of the inventory and the classes.
    PIECEWORK_ASSIGN(const std::vector<EntryRanges> batches, divide_into_batches(inventory, *classes, request.options));
    PIECEWORK_ASSIGN(const std::unique_ptr<PlanWriter> writer, PlanWriter::create(path, request.options));
    for (const EntryRanges& batch : batches) {
      PIECEWORK_ASSIGN(BatchLayout layout, BatchLayout::compute(inventory, *classes, request.options.profile, batch));
      PIECEWORK_TRY(writer->add_batch(layout, {}, {.parts = parts_in(inventory, batch)}));
      PIECEWORK_TRY(pages.status());
    }
    for (const SplitFile& file : split.files) PIECEWORK_TRY(add_join(*writer, join_of(split, file), request.options));
    return writer->finish(inventory, skipped_by_batch(inventory, batches));
  }
}

}  // namespace piecework::engine
