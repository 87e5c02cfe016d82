// See receipt_walk.h.
#include "engine/restore/receipt_walk.h"

#include <string_view>
#include <vector>

#include "io/dir_reader.h"
#include "io/file.h"

namespace piecework::engine {
namespace {

Result<std::vector<std::string>> list_names(const std::string& path, std::string_view suffix) {
  PIECEWORK_ASSIGN(const io::File directory, io::open_named_directory(path, ErrorSide::kSource));
  PIECEWORK_ASSIGN(const io::DirectoryListing listing, io::read_directory(directory));
  std::vector<std::string> names;
  for (size_t i = 0; i < listing.entry_count(); ++i) {
    const std::string_view name = listing.entry(i).name;
    if (!name.starts_with('.') && name.size() > suffix.size() && name.ends_with(suffix)) names.emplace_back(name);
  }
  return names;
}

}  // namespace

Status visit_receipts(const std::string& directory_path,
                      const std::function<Status(const FoundReceipt& found)>& visit) {
  const std::string receipts_path = directory_path + "/receipts";
  Result<std::vector<std::string>> plans = list_names(receipts_path, "");
  if (!plans && plans.error().code == ErrorCode::kNotFound) return {};
  if (!plans) return tl::unexpected<Error>(std::move(plans.error()));
  for (const std::string& plan : *plans) {
    const std::string plan_path = receipts_path + "/" + plan;
    PIECEWORK_ASSIGN(const std::vector<std::string> batches, list_names(plan_path, ".json"));
    for (const std::string& name : batches) {
      const std::string path = plan_path + "/" + name;
      PIECEWORK_TRY(visit({plan, plan_path, name, path, read_receipt_file(path)}));
    }
  }
  return {};
}

}  // namespace piecework::engine
