// All receipts of an output directory of pack.
//
//   receipts/<plan digest>/<batch>.json
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/record/receipt.h"

namespace piecework::engine {

struct ReceiptPlace {
  std::string plan;               // the folder's name
  std::string plan_path;          // of the folder
  std::string name;               // of the file
  std::string path;
  std::optional<uint32_t> batch;  // none where pack names no receipt so
};

struct FoundReceipt : ReceiptPlace {
  Result<Receipt> receipt;  // or why it cannot be read
};

// Where receipts lie, in the order of plans and batches, other names ending in ".json" behind them; hidden ones are
// temporaries of pack. A directory without receipts has none. Errors (source): of the directories.
Result<std::vector<ReceiptPlace>> list_receipts(const std::string& directory_path);

// Reads them one by one in that order. Errors: also the visitor's.
Status visit_receipts(const std::string& directory_path, const std::function<Status(const FoundReceipt& found)>& visit);

}  // namespace piecework::engine
