// Reads lines of <piece>.files.ndjson.zst (file_table.h).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "engine/codec/cid.h"

namespace piecework::engine {

// A row but its sections.
struct FileRow {
  std::string key;  // file_row_key() of its path
  std::string kind;
  Cid cid;
  uint64_t size_bytes = 0;
};

// A path as rows name it: by its text, or in base64 where it is not UTF-8.
std::string file_row_key(std::string_view path);

// The path of a row, as bytes; none where its key is no base64.
std::optional<std::string> file_row_path(const FileRow& row);

// Hands every line of `lines`, whole ones, to `visit` as a row; none where the line is not one. Errors: the visitor's.
Status visit_file_rows(ByteSpan lines,
                       const std::function<Status(std::string_view line, const std::optional<FileRow>& row)>& visit);

}  // namespace piecework::engine
