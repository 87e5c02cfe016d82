#include "engine/record/skip_list.h"

#include <fmt/format.h>

#include "engine/record/json_text.h"
#include "kernels/base/units.h"

namespace piecework::engine {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kListBytesMax = 256 * kMiB;

std::string list_name(uint32_t batch) { return fmt::format("{}.skipped", batch); }

Result<std::vector<SkippedItem>> parse(std::string_view text, uint32_t batch, const std::string& path) {
  // What nlohmann-json throws means one thing: this is not a list of ours.
  try {
    std::vector<SkippedItem> items;
    for (const Json& item : Json::parse(text)) {
      items.push_back({text_of(item, "path"), item.at("reason").get<std::string>(), 0, batch});
    }
    return items;
  } catch (const std::exception& error) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
                fmt::format("'{}' is not a list of skipped items ({}); remove it and run again", printable(path),
                            printable(error.what())));
  }
}

}  // namespace

Result<std::vector<SkippedItem>> read_skip_list(const io::OutputDirectory& receipts, uint32_t batch) {
  PIECEWORK_ASSIGN(const std::optional<io::File> file, receipts.try_open(list_name(batch)));
  if (!file) return std::vector<SkippedItem>{};
  PIECEWORK_ASSIGN(const io::FileStamp stamp, file->stamp());
  if (!stamp.is_regular() || stamp.size_bytes > kListBytesMax) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
                fmt::format("'{}' is no regular file, or too large for a list of skipped items; remove it and run "
                            "again",
                            printable(file->path())));
  }
  std::vector<uint8_t> bytes(stamp.size_bytes);
  PIECEWORK_ASSIGN(const size_t got, file->read_full(bytes, 0));
  return parse(as_text(ByteSpan(bytes).first(got)), batch, file->path());
}

Status write_skip_list(const io::OutputDirectory& receipts, uint32_t batch, const std::vector<SkippedItem>& items) {
  Json list = Json::array();
  for (const SkippedItem& item : items) {
    Json entry = text_or_base64("path", item.path);
    entry["reason"] = item.reason;
    list.push_back(entry);
  }
  PIECEWORK_TRY(remove_skip_list(receipts, batch));
  const std::string text = list.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  PIECEWORK_ASSIGN(io::PublishedFile file, io::open_unshared(receipts, list_name(batch)));
  PIECEWORK_TRY(file.write(as_bytes(text), 0));
  PIECEWORK_ASSIGN(const io::CommitOutcome outcome, file.commit(list_name(batch)));
  return outcome == io::CommitOutcome::kAlreadyExists ? file.discard() : Status();
}

Status remove_skip_list(const io::OutputDirectory& receipts, uint32_t batch) {
  return receipts.remove(list_name(batch));
}

}  // namespace piecework::engine
