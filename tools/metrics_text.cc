#include "tools/metrics_text.h"

#include <fmt/format.h>

#include "kernels/base/text.h"

namespace piecework::tools {
namespace {

// Backslash and line feed, and inside quotes the quote too.
std::string escape(std::string_view text, bool is_quoted) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\n') {
      escaped += "\\n";
      continue;
    }
    if (c == '\\' || (is_quoted && c == '"')) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// The format is UTF-8; a path need not be.
std::string label_value(const std::string& value) { return escape(is_utf8(value) ? value : printable(value), true); }

}  // namespace

void MetricsText::add(std::string_view name, MetricType type, std::string_view help, uint64_t value,
                      const Labels& further) {
  add_sample(name, type, help, fmt::format("{}", value), further);
}

void MetricsText::add(std::string_view name, MetricType type, std::string_view help, double value,
                      const Labels& further) {
  add_sample(name, type, help, fmt::format("{}", value), further);
}

void MetricsText::add_sample(std::string_view name, MetricType type, std::string_view help, std::string_view value,
                             const Labels& further) {
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n{}", name, escape(help, false), name,
                       type == MetricType::kCounter ? "counter" : "gauge", name);
  char opening = '{';
  for (const Labels* labels : {&std::as_const(labels_), &further}) {
    for (const auto& [label, label_text] : *labels) {
      text_ += fmt::format("{}{}=\"{}\"", opening, label, label_value(label_text));
      opening = ',';
    }
  }
  text_ += fmt::format("{} {}\n", opening == ',' ? "}" : "", value);
}

}  // namespace piecework::tools
