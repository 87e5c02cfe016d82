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

std::optional<std::string> file_row_path(const FileRow& row) {
  constexpr std::string_view kPathPrefix = "path:";
  constexpr std::string_view kBase64Prefix = "base64:";
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string_view key = row.key;
  if (key.starts_with(kPathPrefix)) return std::string(key.substr(kPathPrefix.size()));
  std::string_view digits = key.substr(kBase64Prefix.size());
  while (digits.ends_with('=')) digits.remove_suffix(1);
  std::string path;
  uint32_t bits = 0;
  unsigned bit_count = 0;
  for (const char digit : digits) {
    const size_t value = kDigits.find(digit);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6 | static_cast<uint32_t>(value)) & 0xFFFF;
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    path.push_back(static_cast<char>(bits >> bit_count & 0xFF));
  }
  return path;
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
