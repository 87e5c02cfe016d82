// Findings of verify, extract and others, for people and as JSON.
#pragma once

#include <string_view>

#include "engine/restore/verify_report.h"
#include "tools/json_output.h"

namespace piecework::tools {

// An array of the findings that were kept, as design.md 6 describes verify's problems[].
Json findings_json(const engine::Findings& findings);

// A line on stderr for each finding that was kept, and one for those that were not.
void print_findings(std::string_view severity, const engine::Findings& findings);

}  // namespace piecework::tools
