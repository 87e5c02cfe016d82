// What merge and `catalogue rebuild` share: the catalogue is opened, filled in one transaction, and what was done said.
#pragma once

#include <functional>
#include <string>

#include "engine/record/catalogue_fill.h"

namespace CLI {
class App;
}

namespace piecework::tools {

struct CatalogueTarget {
  std::string path;
  unsigned wait_s = 0;  // for another process that writes
};

// --wait SECONDS.
void add_wait_flag(CLI::App& command, unsigned& wait_s);

// Opens the catalogue, calls `fill` with progress and warnings on standard error, commits.
Status fill_catalogue(const CatalogueTarget& target, bool expect_cars, const std::string& what,
                      const std::function<Status(const engine::FillOptions&, engine::CatalogueWriter&)>& fill);

Status print_fill_totals(const engine::FillTotals& totals, bool json);

}  // namespace piecework::tools
