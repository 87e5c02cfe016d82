// See receipt_walk.h.
#include "engine/restore/receipt_walk.h"

#include <string_view>
#include <vector>

#include "io/list_names.h"

namespace piecework::engine {

Status visit_receipts(const std::string& directory_path,
                      const std::function<Status(const FoundReceipt& found)>& visit) {
  const std::string receipts_path = directory_path + "/receipts";
  Result<std::vector<std::string>> plans = io::list_names(receipts_path, "");
  if (!plans && plans.error().code == ErrorCode::kNotFound) return {};
  if (!plans) return tl::unexpected<Error>(std::move(plans.error()));
  for (const std::string& plan : *plans) {
    const std::string plan_path = receipts_path + "/" + plan;
    PIECEWORK_ASSIGN(const std::vector<std::string> batches, io::list_names(plan_path, ".json"));
    for (const std::string& name : batches) {
      const std::string path = plan_path + "/" + name;
      PIECEWORK_TRY(visit({plan, plan_path, name, path, read_receipt_file(path)}));
    }
  }
  return {};
}

}  // namespace piecework::engine
