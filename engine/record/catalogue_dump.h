// A catalogue as text in an order that depends on what it says alone, and whether what it says holds together.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/record/catalogue_reader.h"

namespace piecework::engine {

// Hands JSON lines without newline to `line`: pieces by CID, then every path by (directory, name, piece, CID) with its
// ranges, then contents without a path, then batches by plan and number, deals. No ids. Lines have "table": pieces,
// files, batches, deals; the first two are what follows from the pieces alone. Errors: of reading; the callback's.
Status dump_catalogue(CatalogueReader& reader, const std::function<Status(const std::string& line)>& line);

// What is wrong with the catalogue by itself, one line each, at most 100: SQLite's integrity check, foreign keys, and
// rules of its own. Errors: of reading, other than damage.
Result<std::vector<std::string>> check_catalogue(CatalogueReader& reader);

}  // namespace piecework::engine
