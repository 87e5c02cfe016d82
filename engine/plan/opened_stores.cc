// Opening the stores of a plan and finding what of them is packed.
#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>

#include "engine/plan/store_plan.h"
#include "engine/store/kubo_pins.h"
#include "engine/store/kubo_store.h"
#include "engine/store/top_blocks.h"

namespace piecework::engine {
namespace {

// Of the memory: an index of CARs, and one of links.
constexpr uint64_t kIndexShare = 4;

// What is kept of each comes to some 200 bytes while batches are filled.
constexpr uint64_t kTopBlocksMax = 4'000'000;

Result<std::vector<Cid>> pinned_roots(const KuboRepo& repo, const PlanRequest& request,
                                      std::vector<std::string>& warnings) {
  std::vector<Cid> roots;
  uint64_t direct_count = 0;
  PIECEWORK_TRY(visit_kubo_roots(repo, request.scratch_path, [&](const KuboRoot& root) -> Status {
    // A direct pin is one block of something that need not be here.
    if (root.kind == KuboRootKind::kDirectPin)
      ++direct_count;
    else
      roots.push_back(Cid(root.cid));
    return {};
  }));
  if (direct_count > 0) {
    warnings.push_back(fmt::format("'{}': {} direct pins are left out: each is one block without what is below it",
                                   printable(repo.path()), direct_count));
  }
  return roots;
}

// A CAR that was read from standard input has no path: its file is handed on.
Result<CarInput> car_input(const SourceSet& set, uint32_t source) {
  if (!set.is_standard_input(source)) return CarInput{set.sources()[source].path, {}};
  io::UniqueFd spool(fcntl(set.car(source).fd(), F_DUPFD_CLOEXEC, 0));
  if (!spool.is_open()) return fail_errno(errno, ErrorSide::kInternal, "standard input");
  return CarInput{"standard input", io::File(std::move(spool), "standard input", ErrorSide::kSource)};
}

}  // namespace

Result<OpenedStores> OpenedStores::open(const SourceSet& set, const PlanRequest& request) {
  OpenedStores opened;
  PIECEWORK_TRY(opened.open_stores(set, request));
  if (!request.roots_path.empty()) {
    PIECEWORK_TRY(opened.take_listed_roots(set, request));
  } else if (request.options.all_blocks || (request.options.partial && opened.cars_ != nullptr)) {
    PIECEWORK_TRY(opened.take_top_blocks(set, request));
  } else {
    PIECEWORK_TRY(opened.take_roots(set, request));
  }
  if (request.options.partial) PIECEWORK_TRY(opened.drop_missing_roots());
  return opened;
}

// All CARs are one store: a DAG may have its blocks in several.
Status OpenedStores::open_stores(const SourceSet& set, const PlanRequest& request) {
  std::vector<CarInput> cars;
  auto car_sources = std::make_unique<std::vector<uint32_t>>();
  sources.resize(set.sources().size());
  for (uint32_t source = 0; source < sources.size(); ++source) {
    if (set.is_car(source)) {
      PIECEWORK_ASSIGN(CarInput car, car_input(set, source));
      cars.push_back(std::move(car));
      car_sources->push_back(source);
      continue;
    }
    stores_.push_back(std::make_unique<KuboStore>(set.repository(source)));
    file_sources_.push_back(std::make_unique<std::vector<uint32_t>>(1, source));
    sources[source].store = stores_.back().get();
    sources[source].file_sources = *file_sources_.back();
  }
  if (cars.empty()) return {};
  PIECEWORK_ASSIGN(std::unique_ptr<CarStore> store,
                   CarStore::open(std::move(cars), {.scratch_directory = request.scratch_path,
                                                    .index_memory_bytes = request.memory_bytes / kIndexShare,
                                                    .stop = request.stop}));
  warnings = store->warnings();
  cars_ = store.get();
  stores_.push_back(std::move(store));
  file_sources_.push_back(std::move(car_sources));
  for (const uint32_t source : *file_sources_.back()) {
    sources[source].store = stores_.back().get();
    sources[source].file_sources = *file_sources_.back();
  }
  return {};
}

// What is pinned, and what the CARs' headers name.
Status OpenedStores::take_roots(const SourceSet& set, const PlanRequest& request) {
  if (cars_ != nullptr) PIECEWORK_TRY(cars_->require_roots());
  uint32_t car = 0;
  for (size_t source = 0; source < sources.size(); ++source) {
    if (set.is_car(source)) {
      sources[source].roots = cars_->file_roots(car++);
    } else {
      PIECEWORK_ASSIGN(sources[source].roots, pinned_roots(set.repository(source), request, warnings));
    }
  }
  return {};
}

// What nothing links to, of CARs and, with --all-blocks, of repositories. All CARs are one store.
Status OpenedStores::take_top_blocks(const SourceSet& set, const PlanRequest& request) {
  const TopBlockOptions options{.scratch_directory = request.scratch_path,
                                .memory_bytes = request.memory_bytes / kIndexShare,
                                .stop = request.stop};
  bool cars_are_done = false;
  for (uint32_t source = 0; source < sources.size(); ++source) {
    if (set.is_car(source) && cars_are_done) continue;
    cars_are_done = cars_are_done || set.is_car(source);
    if (!set.is_car(source) && !request.options.all_blocks) {
      PIECEWORK_ASSIGN(sources[source].roots, pinned_roots(set.repository(source), request, warnings));
      continue;
    }
    if (set.is_car(source)) PIECEWORK_TRY(warn_of_missing_roots(*sources[source].store));
    const std::span<const uint32_t> file_sources = sources[source].file_sources;
    PIECEWORK_TRY(visit_top_blocks(*sources[source].store, options, [&](const CidView& cid, const BlockPlace& place) {
      return add_top_block(file_sources[place.file_index], cid);
    }));
  }
  return {};
}

// The roots that CARs name are among the tops, or below them, where they are there.
Status OpenedStores::warn_of_missing_roots(BlockStore& store) {
  for (const Cid& root : cars_->roots()) {
    if (root.view().is_identity()) continue;
    PIECEWORK_ASSIGN(const std::optional<BlockPlace> place, store.find(root.view()));
    if (!place) warnings.push_back(fmt::format("the root {} is left out: its block is missing", root.text()));
  }
  return {};
}

Status OpenedStores::add_top_block(uint32_t source, const CidView& cid) {
  if (++top_block_count_ > kTopBlocksMax) {
    return fail(ErrorCode::kResourceExhausted, ErrorSide::kSource,
                fmt::format("more than {} blocks that nothing links to: name them with --roots FILE, some at a time",
                            kTopBlocksMax));
  }
  sources[source].roots.push_back(Cid(cid));
  sources[source].lists_roots = true;
  return {};
}

// Of an incomplete store a root itself may be missing: then it is left out, and said.
Status OpenedStores::drop_missing_roots() {
  for (StoreSource& source : sources) {
    std::vector<Cid> there;
    for (const Cid& root : source.roots) {
      if (!root.view().is_identity()) {
        PIECEWORK_ASSIGN(const std::optional<BlockPlace> place, source.store->find(root.view()));
        if (!place) {
          warnings.push_back(fmt::format("the root {} is left out: its block is missing", root.text()));
          continue;
        }
      }
      there.push_back(root);
    }
    source.roots = std::move(there);
    source.lists_roots = true;
  }
  return {};
}

// The roots of a list belong to the sources that hold their blocks.
Status OpenedStores::take_listed_roots(const SourceSet& set, const PlanRequest& request) {
  return visit_roots_file(request.roots_path, [&](const Cid& root, uint64_t line) -> Status {
    if (sources.size() == 1 || root.view().is_identity()) {
      sources.front().roots.push_back(root);  // where it is missing, the walk says all there is to say
      return {};
    }
    for (size_t source = 0; source < sources.size(); ++source) {
      PIECEWORK_ASSIGN(const std::optional<BlockPlace> place, sources[source].store->find(root.view()));
      if (!place || (set.is_car(source) && sources[source].file_sources[place->file_index] != source)) continue;
      sources[source].roots.push_back(root);
      return {};
    }
    if (request.options.partial) {
      warnings.push_back(fmt::format("the root {} is left out: none of the sources has it", root.text()));
      return {};
    }
    return fail(
        ErrorCode::kNotFound, ErrorSide::kSource,
        fmt::format("'{}', line {}: none of the sources has {}", printable(request.roots_path), line, root.text()));
  });
}

}  // namespace piecework::engine
