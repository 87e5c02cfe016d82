#include "engine/restore/verify_external.h"

#include <fmt/format.h>

namespace piecework::engine {

std::string ExternalPlaces::where(const CidView& cid) {
  const ExternalList::Block block = list_.find(cid.bytes);
  switch (block.why) {
    case External::kNo:
      return {};
    case External::kMissing:
      return "nowhere: its source did not have it";
    case External::kKnown:
      return "in an earlier piece";
    case External::kPart:
      break;
  }
  const std::optional<Part>& part = part_of(block.batch);
  if (!part) return fmt::format("in the piece of batch {}, which has no receipt here", block.batch);
  if (!part->cids.contains(cid_text(cid.bytes))) return {};
  return fmt::format("in piece {} (batch {})", part->piece_cid_v1, block.batch);
}

const std::optional<ExternalPlaces::Part>& ExternalPlaces::part_of(uint32_t batch) {
  const auto [place, is_new] = parts_.try_emplace(batch);
  if (!is_new) return place->second;
  const Result<Receipt> receipt = read_receipt_file(receipts_path_ + "/" + receipt_name(batch));
  if (!receipt) return place->second;  // what is wrong with it is found where it is checked by itself
  Part& part = place->second.emplace();
  part.piece_cid_v1 = receipt->piece_cid_v1;
  for (const ReceiptPart& subtree : receipt->parts) part.cids.insert(subtree.cid);
  return place->second;
}

}  // namespace piecework::engine
