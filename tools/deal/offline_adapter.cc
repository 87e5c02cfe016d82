#include "tools/deal/offline_adapter.h"

#include <fmt/format.h>

#include <filesystem>

#include "engine/deal/deal_file.h"
#include "tools/replace_file.h"

namespace piecework::tools {

Result<engine::PreparedDeal> OfflineAdapter::prepare(const engine::DealRequest& request) {
  PIECEWORK_ASSIGN(engine::SignedDeal deal, engine::sign_deal(request, signer_));
  const std::string document = engine::encode_deal_file(request, deal);
  deal.prepared.bytes.assign(document.begin(), document.end());
  return std::move(deal.prepared);
}

engine::SubmitOutcome OfflineAdapter::submit(const engine::PreparedDeal& deal, bool /*is_repeat*/) {
  engine::SubmitOutcome outcome;
  const std::string path = fmt::format("{}/{}.deal.json", directory_, deal.client_key);
  // The same document under the same name each time, so a repetition changes nothing.
  std::error_code ignored;
  const Status written = replace_file(path, as_text(deal.bytes));
  // A document that is there is there, whatever failed after it: somebody may carry it.
  outcome.was_sent = written.has_value() || std::filesystem::exists(path, ignored);
  outcome.reason = written ? fmt::format("written to '{}': hand it over, then say what became of it", path)
                           : written.error().message;
  return outcome;
}

engine::StatusClaim OfflineAdapter::status(const engine::PreparedDeal&) {
  engine::StatusClaim claim;
  claim.message = "an offline deal: nobody can be asked";
  return claim;
}

Result<engine::DataOutcome> OfflineAdapter::send_data(const engine::PreparedDeal&, const engine::PieceBytes&) {
  return fail(ErrorCode::kUnsupported, ErrorSide::kConfig,
              "an offline deal: hand the CAR over by other means, under the name <piece CID>.car");
}

}  // namespace piecework::tools
