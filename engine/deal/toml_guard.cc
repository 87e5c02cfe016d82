#include "engine/deal/toml_guard.h"

#include <algorithm>

namespace piecework::engine {
namespace {

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

// Whether `line` begins a table without a name that toml++ can take: it asserts that one follows the brackets.
bool is_header_without_name(std::string_view line) {
  const auto skip_blank = [&line] { line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size())); };
  skip_blank();
  if (line.empty() || line.front() != '[') return false;
  line.remove_prefix(1);
  if (!line.empty() && line.front() == '[') line.remove_prefix(1);
  skip_blank();
  if (line.empty()) return true;
  const char c = line.front();
  return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '"' || c == '\'');
}

}  // namespace

size_t find_refused_line(std::string_view text) {
  size_t line = 0;
  while (!text.empty()) {
    ++line;
    const size_t line_bytes = std::min(text.find('\n'), text.size() - 1) + 1;
    const std::string_view content = text.substr(0, line_bytes);
    text.remove_prefix(line_bytes);
    if (is_header_without_name(content) || !std::all_of(content.begin(), content.end(), is_ascii)) return line;
    if (content.find("\"\"\"") != std::string_view::npos || content.find("'''") != std::string_view::npos) return line;
    char quote = '\0';
    for (size_t i = 0; i < content.size(); ++i) {
      const char c = content[i];
      if (quote != '\0') {
        if (c == '\\' && quote == '"') ++i;
        if (c == quote) quote = '\0';
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (c == '#') {
        break;
      } else if (c == '.') {
        return line;
      }
    }
  }
  return 0;
}

}  // namespace piecework::engine
