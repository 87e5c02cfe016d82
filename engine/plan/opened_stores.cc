// Opening the stores of a plan and finding what of them is packed.
#include <fmt/format.h>

#include "engine/plan/store_plan.h"
#include "engine/store/kubo_pins.h"
#include "engine/store/kubo_store.h"

namespace piecework::engine {
namespace {

Result<std::vector<Cid>> roots_of(const KuboRepo& repo, const PlanRequest& request) {
  std::vector<Cid> roots;
  if (!request.roots_path.empty()) {
    PIECEWORK_TRY(visit_roots_file(request.roots_path, [&roots](const Cid& cid, uint64_t) -> Status {
      roots.push_back(cid);
      return {};
    }));
    return roots;
  }
  PIECEWORK_TRY(visit_kubo_roots(repo, request.scratch_path, [&roots](const KuboRoot& root) -> Status {
    if (root.kind != KuboRootKind::kDirectPin) roots.push_back(Cid(root.cid));
    return {};
  }));
  return roots;
}

}  // namespace

Result<OpenedStores> OpenedStores::open(const SourceSet& set, const PlanRequest& request) {
  OpenedStores opened;
  for (size_t source = 0; source < set.sources().size(); ++source) {
    PIECEWORK_ASSIGN(std::vector<Cid> roots, roots_of(set.repository(source), request));
    opened.stores_.push_back(std::make_unique<KuboStore>(set.repository(source)));
    opened.sources.push_back({opened.stores_.back().get(), std::move(roots), static_cast<uint32_t>(source)});
  }
  return opened;
}

}  // namespace piecework::engine
