#include "engine/record/file_row.h"

#include <nlohmann/json.hpp>

#include "kernels/base/text.h"

namespace piecework::engine {
namespace {

std::optional<FileRow> parse_row(std::string_view line) {
  const nlohmann::json json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  const auto text_of = [&json](const char* key) -> std::optional<std::string> {
    const auto value = json.find(key);
    if (value == json.end() || !value->is_string()) return std::nullopt;
    return value->get<std::string>();
  };
  const std::optional<std::string> path = text_of("path");
  const std::optional<std::string> path_base64 = text_of("path_base64");
  const std::optional<std::string> kind = text_of("kind");
  const auto cid = parse_cid(text_of("cid").value_or(std::string()));
  const auto size_bytes = json.find("size_bytes");
  if (path.has_value() == path_base64.has_value() || !kind || !cid) return std::nullopt;
  if (size_bytes == json.end() || !size_bytes->is_number_unsigned()) return std::nullopt;
  return FileRow{path ? "path:" + *path : "base64:" + *path_base64, *kind, *cid, size_bytes->get<uint64_t>()};
}

}  // namespace

std::string file_row_key(std::string_view path) {
  return is_utf8(path) ? "path:" + std::string(path) : "base64:" + base64(as_bytes(path));
}

Status visit_file_rows(ByteSpan lines,
                       const std::function<Status(std::string_view, const std::optional<FileRow>&)>& visit) {
  for (std::string_view rest = as_text(lines); !rest.empty();) {
    const size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    PIECEWORK_TRY(visit(line, parse_row(line)));
  }
  return {};
}

}  // namespace piecework::engine
