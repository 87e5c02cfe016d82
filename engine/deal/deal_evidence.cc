#include "engine/deal/deal_evidence.h"

#include <fmt/format.h>

#include "engine/codec/cbor_reader.h"
#include "engine/codec/cbor_writer.h"
#include "engine/deal/bounded_json.h"
#include "kernels/base/text.h"

namespace piecework::engine {
namespace {

using nlohmann::json;

constexpr uint64_t kMarketActor = 5;
constexpr uint64_t kEventCodecCbor = 0x51;
constexpr size_t kEventsMax = 100'000;
constexpr size_t kDetailBytesMax = 512;

json event_value(const std::vector<uint8_t>& cbor) {
  return json::array({{{"codec", kEventCodecCbor}, {"value", base64(cbor)}}});
}

// The sector that holds the deal decides: alive, faulty, or gone.
Verdict verdict_of(const SectorSighting& sighting, Epoch epoch) {
  if (!sighting.sector || sighting.sector->expiration_epoch <= epoch) return Verdict::kNotFound;
  return sighting.is_faulty ? Verdict::kFaulty : Verdict::kActive;
}

void take_sector(Observation& observation, uint64_t number, const SectorSighting& sighting) {
  observation.facts.sector = number;
  if (sighting.sector) observation.facts.expiration_epoch = sighting.sector->expiration_epoch;
}

// The number in an entry `key` of an event, where its value is one CBOR unsigned integer.
std::optional<uint64_t> event_number(const json& entry) {
  const std::optional<std::string> bytes = decode_base64(json_text(entry, "Value").value_or(""));
  if (!bytes) return std::nullopt;
  CborReader reader(as_bytes(*bytes));
  const Result<CborHead> head = reader.read_head();
  if (!head || head->major != CborMajor::kUnsigned || !reader.at_end()) return std::nullopt;
  return head->argument;
}

}  // namespace

Observation chain_observation(const ChainPoint& point, Verdict verdict, std::string_view method,
                              std::string_view raw_sha256, std::string_view detail) {
  return {.at_s = point.at_s,
          .source = ObservationSource::kChain,
          .verdict = verdict,
          .is_finalized = true,
          .head_epoch = point.head_epoch,
          .tipset_epoch = point.finalized.epoch,
          .endpoint = point.endpoint,
          .method = std::string(method),
          .tipset = point.finalized.text(),
          .raw_sha256 = std::string(raw_sha256),
          .detail = printable(detail.substr(0, kDetailBytesMax))};
}

Observation judge_market_deal(const ChainPoint& point, const OwnDeal& own, uint64_t deal_id, const MarketDeal& deal,
                              const std::optional<SectorSighting>& sighting, std::string_view raw_sha256) {
  Observation seen = chain_observation(point, Verdict::kForeign, "StateMarketStorageDeal", raw_sha256);
  if (!is_same_deal(deal.proposal, own.proposal, own.client_id)) {
    seen.detail = fmt::format("deal {} is not ours", deal_id);
    return seen;
  }
  seen.is_ours = true;
  seen.facts.deal_id = deal_id;
  if (deal.slash_epoch >= 0) {
    seen.verdict = Verdict::kTerminated;
    seen.detail = fmt::format("slashed at epoch {}", deal.slash_epoch);
    return seen;
  }
  if (deal.sector_start_epoch < 0) {
    seen.verdict = Verdict::kOnChain;
    return seen;
  }
  seen.facts.activation_epoch = deal.sector_start_epoch;
  // The market takes a deal away with its sector. Nodes of before network version 22 do not say which one it is.
  seen.verdict = Verdict::kActive;
  if (deal.sector) seen.facts.sector = deal.sector;
  if (deal.sector && sighting) {
    take_sector(seen, *deal.sector, *sighting);
    if (sighting->is_faulty) seen.verdict = Verdict::kFaulty;
    if (!sighting->sector) {
      seen.verdict = Verdict::kUnclear;
      seen.is_ours = false;
      seen.detail = fmt::format("deal {} is there and its sector {} is not", deal_id, *deal.sector);
    }
  }
  return seen;
}

Observation judge_claim(const ChainPoint& point, const OwnDeal& own, uint64_t claim_id, const Claim& claim,
                        const std::optional<SectorSighting>& sighting, std::string_view raw_sha256) {
  Observation seen = chain_observation(point, Verdict::kForeign, "StateGetClaim", raw_sha256);
  const bool is_ours = claim.piece_cid == own.proposal.piece_cid && claim.padded_bytes == own.proposal.padded_bytes &&
                       claim.provider_actor == own.proposal.provider.actor_id() &&
                       claim.client_actor == own.client_id.actor_id();
  if (!is_ours || !sighting) {
    if (is_ours) seen.verdict = Verdict::kUnclear;
    seen.detail =
        fmt::format("claim {} {}", claim_id, is_ours ? "is ours; its sector could not be read" : "is not ours");
    return seen;
  }
  // Claims outlive their sectors.
  seen.verdict = verdict_of(*sighting, point.finalized.epoch);
  seen.is_ours = seen.verdict != Verdict::kNotFound;
  seen.facts.claim_id = claim_id;
  seen.facts.activation_epoch = claim.term_start_epoch;
  take_sector(seen, claim.sector, *sighting);
  return seen;
}

Observation judge_sector(const ChainPoint& point, uint64_t sector, const SectorSighting& sighting,
                         std::string_view raw_sha256) {
  Observation seen = chain_observation(point, verdict_of(sighting, point.finalized.epoch), "StateSectorGetInfo",
                                       raw_sha256, "the chain knows piece, provider and sector of it");
  seen.is_ours = seen.verdict != Verdict::kNotFound;
  if (sighting.sector) seen.facts.activation_epoch = sighting.sector->activation_epoch;
  take_sector(seen, sector, sighting);
  return seen;
}

json published_event_filter(const Address& provider, char prefix, Epoch from_epoch, Epoch to_epoch) {
  CborWriter type;
  type.text("deal-published");
  CborWriter id;
  id.unsigned_integer(provider.actor_id().value_or(0));
  return {{"addresses", json::array({Address::of_actor(kMarketActor).text(prefix)})},
          {"fields", {{"$type", event_value(type.take())}, {"provider", event_value(id.take())}}},
          {"fromHeight", from_epoch},
          {"toHeight", to_epoch}};
}

std::optional<std::vector<uint64_t>> parse_published_ids(const json& result) {
  if (!result.is_array() || result.size() > kEventsMax) return std::nullopt;
  std::vector<uint64_t> ids;
  for (const json& event : result) {
    const json* const entries = json_member(event, "entries");
    const std::optional<bool> is_reverted = json_boolean(event, "reverted");
    if (entries == nullptr || !entries->is_array() || !is_reverted) return std::nullopt;
    if (*is_reverted) continue;
    for (const json& entry : *entries) {
      if (json_text(entry, "Key") != "id") continue;
      const std::optional<uint64_t> id = event_number(entry);
      if (!id) return std::nullopt;
      ids.push_back(*id);
    }
  }
  return ids;
}

}  // namespace piecework::engine
