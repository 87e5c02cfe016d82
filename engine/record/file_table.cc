#include "engine/record/file_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/codec/cid.h"
#include "kernels/base/units.h"

namespace piecework::engine {
namespace {

constexpr size_t kFrameBytes = kMiB;

// Most names: nothing in them to escape.
bool is_plain_ascii(std::string_view path) {
  return std::all_of(path.begin(), path.end(), [](char c) { return c >= ' ' && c < 0x7F && c != '"' && c != '\\'; });
}

std::string_view kind_name(PackedKind kind) {
  switch (kind) {
    case PackedKind::kFile:
      return "file";
    case PackedKind::kSymlink:
      return "symlink";
    case PackedKind::kDirectory:
      break;
  }
  return "directory";
}

void append_path(std::string& line, std::string_view path) {
  if (is_plain_ascii(path)) {
    line += "\"path\":\"";
    line += path;
    line += '"';
  } else if (is_utf8(path)) {
    line += "\"path\":";
    line += nlohmann::json(path).dump();
  } else {
    line += fmt::format("\"path_base64\":\"{}\"", base64(as_bytes(path)));
  }
}

}  // namespace

Status FileTableWriter::add(const PackedFile& row) {
  lines_ += '{';
  append_path(lines_, row.path);
  fmt::format_to(std::back_inserter(lines_), ",\"kind\":\"{}\",\"cid\":\"{}\",\"size_bytes\":{},\"sections\":[",
                 kind_name(row.kind), cid_text(row.cid), row.size_bytes);
  for (size_t i = 0; i < row.sections.size(); ++i) {
    const ByteRange& range = row.sections[i];
    fmt::format_to(std::back_inserter(lines_), "{}{{\"offset_bytes\":{},\"length_bytes\":{}}}", i == 0 ? "" : ",",
                   range.begin, range.end - range.begin);
  }
  lines_ += row.has_more_sections ? "],\"has_more_sections\":true}\n" : "]}\n";
  return lines_.size() >= kFrameBytes ? flush() : Status();
}

Status FileTableWriter::flush() {
  if (lines_.empty()) return {};
  hasher_.append(as_bytes(lines_));
  content_bytes_ += lines_.size();
  PIECEWORK_TRY(compressor_.compress(as_bytes(lines_), frame_));
  PIECEWORK_TRY(file_.write(frame_, written_bytes_));
  written_bytes_ += frame_.size();
  lines_.clear();
  return {};
}

Result<SidecarContent> FileTableWriter::finish() {
  PIECEWORK_TRY(flush());
  return SidecarContent{content_bytes_, hasher_.finish()};
}

}  // namespace piecework::engine
