#include "tools/deal/csv.h"

#include <fmt/format.h>

#include <algorithm>

namespace piecework::tools {
namespace {

class CsvReader {
 public:
  CsvReader(std::string_view text, std::string_view path) : text_(text), path_(path) {}

  Result<std::vector<CsvRow>> read() {
    std::vector<CsvRow> rows;
    while (at_ < text_.size()) {
      PIECEWORK_ASSIGN(CsvRow row, read_row());
      if (!rows.empty() && row.size() != rows.front().size()) {
        return bad(fmt::format("{} fields, the first line has {}", row.size(), rows.front().size()));
      }
      rows.push_back(std::move(row));
      ++line_;
    }
    return rows;
  }

 private:
  tl::unexpected<Error> bad(std::string_view what) const {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("'{}' line {}: {}", printable(path_), line_, what));
  }

  Result<CsvRow> read_row() {
    CsvRow row;
    for (;;) {
      PIECEWORK_ASSIGN(std::string field, text_[at_] == '"' ? read_quoted() : Result<std::string>(read_plain()));
      row.push_back(std::move(field));
      if (at_ == text_.size()) return row;
      const char end = text_[at_++];
      if (end == '\r' && at_ < text_.size() && text_[at_] == '\n') ++at_;
      if (end == '\n' || end == '\r') return row;
      if (end != ',') return bad("text behind a field in quotes");
      if (at_ == text_.size()) {
        row.emplace_back();
        return row;
      }
    }
  }

  std::string read_plain() {
    const size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    std::string field(text_.substr(at_, end - at_));
    at_ = end;
    return field;
  }

  Result<std::string> read_quoted() {
    std::string field;
    ++at_;
    for (;;) {
      const size_t quote = text_.find('"', at_);
      if (quote == std::string_view::npos) return bad("a quote that is not closed");
      field.append(text_.substr(at_, quote - at_));
      at_ = quote + 1;
      if (at_ == text_.size() || text_[at_] != '"') return field;
      field += '"';
      ++at_;
    }
  }

  std::string_view text_;
  std::string_view path_;
  size_t at_ = 0;
  size_t line_ = 1;
};

}  // namespace

std::string csv_line(const CsvRow& fields) {
  std::string line;
  for (const std::string& field : fields) {
    if (&field != &fields.front()) line += ',';
    const bool is_formula = !field.empty() && std::string_view("=+-@\t").find(field.front()) != std::string_view::npos;
    if (!is_formula && field.find_first_of(",\"\r\n") == std::string::npos) {
      line += field;
      continue;
    }
    line += is_formula ? "\"'" : "\"";
    for (const char c : field) line.append(c == '"' ? 2 : 1, c);
    line += '"';
  }
  return line + "\r\n";
}

Result<std::vector<CsvRow>> parse_csv(std::string_view text, std::string_view path) {
  return CsvReader(text, path).read();
}

}  // namespace piecework::tools
