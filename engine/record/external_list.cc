#include "engine/record/external_list.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/codec/cid.h"
#include "engine/record/sidecar_content.h"
#include "kernels/base/units.h"

namespace piecework::engine {
namespace {

constexpr size_t kFrameBytes = kMiB;

std::string_view why_text(External why) {
  switch (why) {
    case External::kPart:
      return "part";
    case External::kMissing:
      return "missing";
    case External::kKnown:
      return "known";
    case External::kNo:
      break;
  }
  return "";
}

External why_of(std::string_view text) {
  for (const External why : {External::kPart, External::kMissing, External::kKnown}) {
    if (why_text(why) == text) return why;
  }
  return External::kNo;
}

// One line into `blocks`; false where it is none of ours.
bool take_line(std::string_view line, CidMap& blocks) {
  const nlohmann::json json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("cid") || !json["cid"].is_string()) return false;
  if (!json.contains("why") || !json["why"].is_string()) return false;
  const External why = why_of(json["why"].get_ref<const std::string&>());
  const auto cid = parse_cid(json["cid"].get_ref<const std::string&>());
  if (why == External::kNo || !cid) return false;
  uint64_t batch = 0;
  if (why == External::kPart) {
    if (!json.contains("batch") || !json["batch"].is_number_unsigned()) return false;
    batch = json["batch"].get<uint64_t>();
    if (batch > UINT32_MAX) return false;
  }
  return blocks.add(cid->bytes(), batch << 2 | static_cast<uint64_t>(why));
}

}  // namespace

std::string external_list_name(uint32_t batch) { return fmt::format("{}.external.ndjson.zst", batch); }

Status ExternalListWriter::add(ByteSpan cid, External why, uint32_t batch) {
  if (!seen_.add(cid, 0)) return {};
  lines_ += fmt::format("{{\"cid\":\"{}\",\"why\":\"{}\"", cid_text(cid), why_text(why));
  if (why == External::kPart) lines_ += fmt::format(",\"batch\":{}", batch);
  lines_ += "}\n";
  return lines_.size() < kFrameBytes ? Status() : flush();
}

Status ExternalListWriter::add_records(BatchReader& records, const std::atomic<bool>* stop) {
  for (;;) {
    PIECEWORK_ASSIGN(const std::optional<LayoutRecord> record, records.next());
    if (!record) return {};
    if (record->kind != RecordKind::kBlock || record->stored.external == External::kNo) continue;
    if (stop != nullptr && stop->load()) {
      return fail(ErrorCode::kCancelled, ErrorSide::kInternal, std::string(kStoppedText));
    }
    PIECEWORK_TRY(add(record->stored.cid, record->stored.external, record->stored.external_batch));
  }
}

Status ExternalListWriter::flush() {
  if (lines_.empty()) return {};
  hasher_.append(as_bytes(lines_));
  content_bytes_ += lines_.size();
  PIECEWORK_TRY(compressor_.compress(as_bytes(lines_), frame_));
  PIECEWORK_TRY(target_.write(frame_, written_bytes_));
  written_bytes_ += frame_.size();
  lines_.clear();
  return {};
}

Result<SidecarContent> ExternalListWriter::finish() {
  PIECEWORK_TRY(flush());
  return SidecarContent{content_bytes_, hasher_.finish()};
}

Result<ExternalList> ExternalList::read(const io::File& file, SidecarContent& content) {
  ExternalList list;
  uint64_t line_number = 0;
  const auto take_frame = [&](ByteSpan frame) -> Status {
    std::string_view lines = as_text(frame);  // whole ones
    while (!lines.empty()) {
      const size_t end = lines.find('\n');
      ++line_number;
      if (end == std::string_view::npos || !take_line(lines.substr(0, end), list.blocks_)) {
        return fail(ErrorCode::kCorrupt, file.side(),
                    fmt::format("'{}': line {} names no block", printable(file.path()), line_number));
      }
      lines.remove_prefix(end + 1);
    }
    return {};
  };
  PIECEWORK_ASSIGN(content, read_sidecar_content(file, /*has_index=*/false, take_frame));
  return list;
}

ExternalList::Block ExternalList::find(ByteSpan cid) const {
  const std::optional<uint64_t> value = blocks_.find(cid);
  if (!value) return {};
  return {static_cast<External>(*value & 3), static_cast<uint32_t>(*value >> 2)};
}

}  // namespace piecework::engine
