// Comma-separated values, RFC 4180: what spreadsheets of providers and archives are made of.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/error.h"

namespace piecework::tools {

using CsvRow = std::vector<std::string>;

// A field that holds a comma, quote or line end, or begins like a formula (= + - @), is put in quotes; the last with a
// single quote before it, so that no spreadsheet computes what somebody else wrote. Ends with CRLF.
std::string csv_line(const CsvRow& fields);

// Rows of `text`, each with as many fields as the first. Line ends may be LF. Errors: kInvalidArgument (config), with
// the line.
Result<std::vector<CsvRow>> parse_csv(std::string_view text, std::string_view path);

}  // namespace piecework::tools
