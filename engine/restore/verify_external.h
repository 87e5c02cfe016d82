// Where the blocks stand that a CAR links to and does not hold, on purpose: the upper nodes of an item that is larger
// than a piece link to its parts, a partial source lacks blocks, known blocks are in earlier pieces.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "engine/record/external_list.h"
#include "engine/record/receipt.h"

namespace piecework::engine {

// Reads receipts of parts as they are asked for. Thread-compatible.
class ExternalPlaces {
 public:
  // `receipts_path`: where the receipts of the list's plan lie.
  ExternalPlaces(ExternalList list, std::string receipts_path)
      : list_(std::move(list)), receipts_path_(std::move(receipts_path)) {}

  // "in piece baga... (batch 3)", or another place in words; "" where nothing says that the block stands elsewhere: it
  // is not in the list, or the receipt of its part does not name it.
  std::string where(const CidView& cid);

 private:
  struct Part {
    std::string piece_cid_v1;
    std::set<std::string> cids;  // of its subtrees
  };
  const std::optional<Part>& part_of(uint32_t batch);

  ExternalList list_;
  std::string receipts_path_;
  std::map<uint32_t, std::optional<Part>> parts_;  // none where there is no receipt
};

}  // namespace piecework::engine
