// See receipt_walk.h.
#include "engine/record/receipt_walk.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "io/list_names.h"

namespace piecework::engine {
namespace {

constexpr std::string_view kSuffix = ".json";

bool is_digest(std::string_view name) {
  return name.size() == 2 * kDigestBytes && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::optional<uint32_t> batch_of(std::string_view name) {
  uint32_t batch = 0;
  const bool is_number = std::from_chars(name.data(), name.data() + name.size(), batch).ec == std::errc();
  return is_number && receipt_name(batch) == name ? std::optional(batch) : std::nullopt;
}

Status add_receipts_of(const std::string& plan, const std::string& plan_path, std::vector<ReceiptPlace>& places) {
  PIECEWORK_ASSIGN(const std::vector<std::string> names, io::list_names(plan_path, kSuffix));
  const auto first = static_cast<ptrdiff_t>(places.size());
  for (const std::string& name : names) {
    places.push_back({plan, plan_path, name, plan_path + "/" + name, is_digest(plan) ? batch_of(name) : std::nullopt});
  }
  std::stable_sort(places.begin() + first, places.end(), [](const ReceiptPlace& a, const ReceiptPlace& b) {
    return a.batch.value_or(UINT32_MAX) < b.batch.value_or(UINT32_MAX);
  });
  return {};
}

}  // namespace

Result<std::vector<ReceiptPlace>> list_receipts(const std::string& directory_path) {
  std::vector<ReceiptPlace> places;
  const std::string receipts_path = directory_path + "/receipts";
  const Result<std::vector<std::string>> plans = io::list_names(receipts_path, "");
  if (!plans && plans.error().code == ErrorCode::kNotFound) return places;
  if (!plans) return tl::unexpected<Error>(plans.error());
  for (const std::string& plan : *plans) {
    PIECEWORK_TRY(add_receipts_of(plan, receipts_path + "/" + plan, places));
  }
  return places;
}

Status visit_receipts(const std::string& directory_path,
                      const std::function<Status(const FoundReceipt& found)>& visit) {
  PIECEWORK_ASSIGN(const std::vector<ReceiptPlace> places, list_receipts(directory_path));
  for (const ReceiptPlace& place : places) PIECEWORK_TRY(visit({place, read_receipt_file(place.path)}));
  return {};
}

}  // namespace piecework::engine
