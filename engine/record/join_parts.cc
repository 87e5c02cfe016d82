#include "engine/record/join_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace piecework::engine {
namespace {

tl::unexpected<Error> other_parts(const Receipt& receipt) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
              fmt::format("the receipt of batch {} does not name the parts that its plan has there; move it away and "
                          "pack that batch again",
                          receipt.batch));
}

}  // namespace

std::vector<JoinPart> planned_join_parts(const PlanSummary& plan, const PlannedBatch& join) {
  std::vector<JoinPart> parts;
  for (const PlannedBatch& batch : plan.batches) {
    for (const PlannedPart& part : batch.role.parts) {
      if (part.cid.empty() && part.item_path == join.role.join_path) parts.push_back({part.path, batch.batch, {}});
    }
  }
  // Their names are their first bytes in the file, all of one length.
  std::sort(parts.begin(), parts.end(), [](const JoinPart& a, const JoinPart& b) { return a.path < b.path; });
  return parts;
}

Result<std::vector<JoinPart>> read_join_parts(const PlanSummary& plan, const PlannedBatch& join,
                                              const io::OutputDirectory& receipts) {
  std::vector<JoinPart> parts = planned_join_parts(plan, join);
  std::map<uint32_t, std::optional<Receipt>> by_batch;
  std::map<std::pair<uint32_t, std::string_view>, std::string_view> cids;
  for (JoinPart& part : parts) {
    const auto [place, is_new] = by_batch.try_emplace(part.batch);
    std::optional<Receipt>& receipt = place->second;
    if (is_new) {
      PIECEWORK_ASSIGN(receipt, read_receipt(receipts, plan.digest_text(), part.batch));
      if (receipt) {
        for (const ReceiptPart& named : receipt->parts) cids[{part.batch, named.path}] = named.cid;
      }
    }
    if (!receipt) continue;
    const auto named = cids.find({part.batch, part.path});
    if (named == cids.end()) return other_parts(*receipt);
    const auto cid = parse_cid(named->second);
    if (!cid || !cid->view().is_sha256()) return other_parts(*receipt);
    part.cid = *cid;
  }
  return parts;
}

const JoinPart* first_missing(const std::vector<JoinPart>& parts) {
  const auto part = std::find_if(parts.begin(), parts.end(), [](const JoinPart& at) { return at.cid.empty(); });
  return part == parts.end() ? nullptr : &*part;
}

}  // namespace piecework::engine
