#include "tools/deal/deal_report.h"

#include <fmt/format.h>

#include <chrono>

#include "tools/timestamps.h"

namespace piecework::tools {
namespace {

std::string time_text(int64_t at_s) {
  return rfc3339_utc(std::chrono::system_clock::time_point(std::chrono::seconds(at_s)));
}

Json optional_json(const std::optional<uint64_t>& value) { return value ? Json(*value) : Json(); }

Json witness_json(const std::optional<engine::DealWitness>& witness, bool is_evidence) {
  if (!witness) return {};
  Json json = {{"says", witness->verdict}, {"at", time_text(witness->at_s)}, {"source", printable(witness->endpoint)}};
  if (is_evidence) {
    json["tipset_epoch"] = witness->tipset_epoch;
    json["tipset"] = printable(witness->tipset);
  }
  if (!witness->detail.empty()) json["detail"] = printable(witness->detail);
  return json;
}

std::string reference_of(const engine::CatalogueDeal& deal) {
  if (deal.deal_id) return fmt::format("{}", *deal.deal_id);
  if (deal.claim_id) return fmt::format("claim {}", *deal.claim_id);
  if (deal.sector) return fmt::format("sector {}", *deal.sector);
  return "not on chain";
}

}  // namespace

Json deal_json(const engine::CatalogueDeal& deal, const engine::CataloguePiece& piece, const std::string& content_cid) {
  Json json = Json::object();
  json["dealId"] = optional_json(deal.deal_id);
  json["miner"] = deal.provider;
  json["status"] = deal.state;
  json["pieceCid"] = piece.cid_v1;
  json["dataCid"] = piece.root.text();
  if (!content_cid.empty()) json["contentCid"] = content_cid;
  json["activation"] = optional_json(deal.activation_epoch);
  json["expiration"] = deal.end_epoch;
  json["network"] = deal.network;
  json["kind"] = deal.kind;
  json["claim_id"] = optional_json(deal.claim_id);
  json["sector"] = optional_json(deal.sector);
  json["start_epoch"] = deal.start_epoch;
  json["client_key"] = deal.client_key;
  json["signed_proposal_cid"] = deal.signed_proposal_cid;
  json["claim"] = witness_json(deal.claim, false);
  json["evidence"] = witness_json(deal.evidence, true);
  return json;
}

std::string deal_text(const engine::CatalogueDeal& deal) {
  std::string text =
      fmt::format("  deal  {} with {} on {}: {}, epochs {} to {}\n", reference_of(deal), printable(deal.provider),
                  printable(deal.network), deal.state, deal.start_epoch, deal.end_epoch);
  if (deal.evidence) {
    const std::string sector = deal.sector ? fmt::format(" in sector {}", *deal.sector) : "";
    text +=
        fmt::format("    evidence: {}{} at epoch {}, read {} from {}\n", deal.evidence->verdict, sector,
                    deal.evidence->tipset_epoch, time_text(deal.evidence->at_s), printable(deal.evidence->endpoint));
  } else {
    text += "    evidence: none; the chain has not shown it\n";
  }
  if (deal.claim) {
    text += fmt::format("    claim:    {}, said {} by {}{}{}\n", deal.claim->verdict, time_text(deal.claim->at_s),
                        printable(deal.claim->endpoint), deal.claim->detail.empty() ? "" : ": ",
                        printable(deal.claim->detail));
  }
  return text;
}

}  // namespace piecework::tools
