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

// Length of the next frame's content: whole lines, as few as reach kFrameBytes. 0: more of the spool is needed.
size_t first_frame_lines_bytes(ByteSpan lines, bool is_end) {
  if (lines.size() >= kFrameBytes) {
    const auto newline = std::find(lines.begin() + (kFrameBytes - 1), lines.end(), uint8_t{'\n'});
    if (newline != lines.end()) return static_cast<size_t>(newline - lines.begin()) + 1;
  }
  return is_end ? lines.size() : 0;
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
  if (lines_.size() >= kFrameBytes) PIECEWORK_TRY(flush());
  return {};
}

Result<uint64_t> FileTableWriter::flush() {
  if (!lines_.empty()) PIECEWORK_TRY(spool_.write(as_bytes(lines_), spool_bytes_));
  spool_bytes_ += lines_.size();
  lines_.clear();
  return spool_bytes_;
}

Result<SidecarContent> FileTableWriter::finish(io::PublishedFile& target, const std::atomic<bool>* stop,
                                               const std::function<Status(ByteSpan)>& visit) {
  PIECEWORK_TRY(flush());
  ZstdCompressor compressor;
  kernels::Sha256 hasher;
  std::vector<uint8_t> frame;
  std::vector<uint8_t> lines;  // from `done_bytes` of the spool on
  uint64_t written_bytes = 0;
  for (uint64_t done_bytes = 0; done_bytes < spool_bytes_;) {
    if (stop != nullptr && stop->load()) {
      return fail(ErrorCode::kCancelled, ErrorSide::kInternal, std::string(kStoppedText));
    }
    const size_t held_bytes = lines.size();
    lines.resize(held_bytes + std::min<uint64_t>(kFrameBytes, spool_bytes_ - done_bytes - held_bytes));
    PIECEWORK_ASSIGN(const size_t got,
                     spool_.read(MutableByteSpan(lines).subspan(held_bytes), done_bytes + held_bytes));
    if (held_bytes + got != lines.size()) {
      return fail(ErrorCode::kCorrupt, ErrorSide::kDestination,
                  fmt::format("'{}' became shorter while it was used", printable(spool_.path())));
    }
    const bool is_end = done_bytes + lines.size() == spool_bytes_;
    while (const size_t frame_bytes = first_frame_lines_bytes(lines, is_end)) {
      const ByteSpan content = ByteSpan(lines).first(frame_bytes);
      hasher.append(content);
      if (visit) PIECEWORK_TRY(visit(content));
      PIECEWORK_TRY(compressor.compress(content, frame));
      PIECEWORK_TRY(target.write(frame, written_bytes));
      written_bytes += frame.size();
      done_bytes += frame_bytes;
      lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(frame_bytes));
    }
  }
  return SidecarContent{spool_bytes_, hasher.finish()};
}

}  // namespace piecework::engine
