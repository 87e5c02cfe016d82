// See finding_text.h.
#include "tools/finding_text.h"

#include <fmt/format.h>

#include <string>

#include "kernels/base/text.h"
#include "tools/process.h"

namespace piecework::tools {
namespace {

Json finding_json(const engine::VerifyFinding& finding) {
  Json json = {{"kind", finding.kind}, {"piece", finding.piece}};
  set_path(json, finding.path);
  json["cid"] = finding.cid;
  json["offset_bytes"] = finding.offset_bytes ? Json(*finding.offset_bytes) : Json();
  json["expected"] = finding.expected;
  json["actual"] = finding.actual;
  return json;
}

std::string finding_line(std::string_view severity, const engine::VerifyFinding& finding) {
  std::string line = fmt::format("{}: {}", severity, finding.kind);
  if (!finding.piece.empty()) line += ": " + printable(finding.piece);
  if (finding.offset_bytes) line += fmt::format(", byte {}", *finding.offset_bytes);
  if (!finding.path.empty()) line += fmt::format(", '{}'", printable(finding.path));
  if (!finding.cid.empty()) line += ", " + finding.cid;
  if (!finding.expected.empty())
    line += ": expected " + printable(finding.expected) + "; found " + printable(finding.actual);
  else
    line += ": " + printable(finding.actual);
  return line;
}

}  // namespace

Json findings_json(const engine::Findings& findings) {
  Json json = Json::array();
  for (const engine::VerifyFinding& finding : findings.kept()) json.push_back(finding_json(finding));
  return json;
}

void print_findings(std::string_view severity, const engine::Findings& findings) {
  for (const engine::VerifyFinding& finding : findings.kept()) print_message(finding_line(severity, finding));
  if (findings.count() > findings.kept().size()) {
    print_message(fmt::format("{}: {} more", severity, findings.count() - findings.kept().size()));
  }
}

}  // namespace piecework::tools
