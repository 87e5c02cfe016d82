// See item_locator.h.
#include "engine/proof/item_locator.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "io/dir_reader.h"
#include "io/file.h"

namespace piecework::engine {
namespace {

constexpr std::string_view kReceiptSuffix = ".json";

Result<std::vector<std::string>> names_in(const std::string& path, std::string_view suffix) {
  PIECEWORK_ASSIGN(const io::File directory, io::open_named_directory(path, ErrorSide::kSource));
  PIECEWORK_ASSIGN(const io::DirectoryListing listing, io::read_directory(directory));
  std::vector<std::string> names;
  for (size_t i = 0; i < listing.entry_count(); ++i) {
    const std::string_view name = listing.entry(i).name;
    if (!name.starts_with('.') && name.ends_with(suffix)) names.emplace_back(name);
  }
  return names;
}

}  // namespace

Result<std::vector<PieceRecord>> DirectoryLocator::find_path(std::string_view) { return all(); }
Result<std::vector<PieceRecord>> DirectoryLocator::find_cid(const Cid&) { return all(); }

Result<std::vector<PieceRecord>> DirectoryLocator::all() const {
  std::vector<PieceRecord> records;
  std::set<std::string> pieces;
  const std::string receipts = path_ + "/receipts";
  PIECEWORK_ASSIGN(const std::vector<std::string> plans, names_in(receipts, ""));
  for (const std::string& plan : plans) {
    PIECEWORK_ASSIGN(const std::vector<std::string> names, names_in(receipts + "/" + plan, kReceiptSuffix));
    const size_t first = records.size();
    for (const std::string& name : names) {
      PIECEWORK_ASSIGN(Receipt receipt, read_receipt_file(receipts + "/" + plan + "/" + name));
      if (pieces.insert(receipt.piece_cid_v1).second) records.push_back({path_, std::move(receipt)});
    }
    std::sort(records.begin() + static_cast<ptrdiff_t>(first), records.end(),
              [](const PieceRecord& a, const PieceRecord& b) { return a.receipt.batch < b.receipt.batch; });
  }
  if (!records.empty()) return records;
  return fail(ErrorCode::kNotFound, ErrorSide::kSource,
              fmt::format("'{}' has no receipts: expected an output directory of pack", printable(path_)));
}

}  // namespace piecework::engine
