// All receipts of an output directory of pack, in the order of their names.
//
//   receipts/<plan digest>/<batch>.json
#pragma once

#include <functional>
#include <string>

#include "engine/record/receipt.h"

namespace piecework::engine {

struct FoundReceipt {
  std::string plan;        // the folder's name
  std::string plan_path;   // of the folder
  std::string name;        // of the file
  std::string path;
  Result<Receipt> receipt;  // or why it cannot be read
};

// Hidden names are temporaries of pack. A directory without receipts is none to visit. Errors (source): of the
// directories; the visitor's.
Status visit_receipts(const std::string& directory_path, const std::function<Status(const FoundReceipt& found)>& visit);

}  // namespace piecework::engine
