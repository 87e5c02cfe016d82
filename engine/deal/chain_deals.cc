// Deals, allocations, claims, sectors, messages and events of a node's JSON; declared in chain_replies.h.
#include "engine/codec/cbor_writer.h"
#include "engine/deal/bounded_json.h"
#include "engine/deal/chain_json.h"
#include "engine/deal/chain_replies.h"
#include "engine/deal/proposal_reader.h"
#include "kernels/base/text.h"

namespace piecework::engine {
namespace {

using nlohmann::json;

constexpr size_t kEventsMax = 10'000;
constexpr size_t kEventEntriesMax = 64;
constexpr int kCodecCborOfEvents = 81;  // the codec "cbor"
constexpr uint64_t kBitFieldEndMax = uint64_t{1} << 48;

std::optional<DealProposal> parse_chain_proposal(const json* value, char prefix) {
  if (value == nullptr) return std::nullopt;
  const std::optional<Cid> piece_cid = cid_of(json_member(*value, "PieceCID"));
  const std::optional<uint64_t> padded_bytes = json_unsigned(*value, "PieceSize");
  const std::optional<bool> is_verified = json_boolean(*value, "VerifiedDeal");
  const std::optional<Address> client = address_of(json_member(*value, "Client"), prefix);
  const std::optional<Address> provider = address_of(json_member(*value, "Provider"), prefix);
  const std::optional<std::string> label = json_text(*value, "Label");
  const std::optional<int64_t> start_epoch = json_integer(*value, "StartEpoch");
  const std::optional<int64_t> end_epoch = json_integer(*value, "EndEpoch");
  const std::optional<AttoFil> price = amount_of(json_member(*value, "StoragePricePerEpoch"));
  const std::optional<AttoFil> provider_collateral = amount_of(json_member(*value, "ProviderCollateral"));
  const std::optional<AttoFil> client_collateral = amount_of(json_member(*value, "ClientCollateral"));
  if (!piece_cid || !padded_bytes || !is_verified || !client || !provider || !label || !start_epoch || !end_epoch ||
      !price || !provider_collateral || !client_collateral) {
    return std::nullopt;
  }
  return DealProposal{*piece_cid, *padded_bytes,        *is_verified,      *client,
                      *provider,  {*label, true},       *start_epoch,      *end_epoch,
                      *price,     *provider_collateral, *client_collateral};
}

// The bytes of an event's value, which are CBOR.
std::optional<std::vector<uint8_t>> event_value(const json& entry) {
  if (json_integer(entry, "Codec") != kCodecCborOfEvents) return std::nullopt;
  return bytes_of(json_member(entry, "Value"));
}

std::optional<std::string> event_text(const std::vector<uint8_t>& value) {
  CborReader reader(value);
  const Result<std::string_view> text = reader.read_text();
  if (!text || !reader.at_end()) return std::nullopt;
  return std::string(*text);
}

std::optional<SectorEvent> parse_sector_event(const json& item, char prefix) {
  const std::optional<Address> emitter = address_of(json_member(item, "emitter"), prefix);
  const std::optional<int64_t> epoch = json_integer(item, "height");
  const std::optional<bool> is_reverted = json_boolean(item, "reverted");
  const json* const entries = json_member(item, "entries");
  if (!emitter || !epoch || !is_reverted || entries == nullptr || !entries->is_array() ||
      entries->size() > kEventEntriesMax) {
    return std::nullopt;
  }
  SectorEvent event{"", *emitter, std::nullopt, *epoch, *is_reverted, ""};
  if (const std::optional<Cid> cid = cid_of(json_member(item, "msgCid"))) event.message_cid = cid->text();
  for (const json& entry : *entries) {
    const std::optional<std::string> key = json_text(entry, "Key");
    const std::optional<std::vector<uint8_t>> value = event_value(entry);
    if (!key || !value) continue;
    if (*key == "$type") event.type = event_text(*value).value_or("");
    if (*key == "sector") {
      CborReader reader(*value);
      const Result<uint64_t> sector = read_cbor_unsigned(reader);
      if (sector && reader.at_end()) event.sector = *sector;
    }
  }
  return event;
}

json event_field(ByteSpan value) { return json::array({{{"codec", kCodecCborOfEvents}, {"value", base64(value)}}}); }

}  // namespace

std::optional<MarketDeal> parse_market_deal(const json& result, char prefix) {
  const std::optional<DealProposal> proposal = parse_chain_proposal(json_member(result, "Proposal"), prefix);
  const json* const state = json_member(result, "State");
  if (!proposal || state == nullptr) return std::nullopt;
  const std::optional<int64_t> sector_start_epoch = json_integer(*state, "SectorStartEpoch");
  const std::optional<int64_t> slash_epoch = json_integer(*state, "SlashEpoch");
  if (!sector_start_epoch || !slash_epoch) return std::nullopt;
  MarketDeal deal{*proposal, std::nullopt, *sector_start_epoch, *slash_epoch};
  // Before activation the number means nothing; older networks have none.
  if (*sector_start_epoch >= 0) deal.sector = json_unsigned(*state, "SectorNumber");
  return deal;
}

std::optional<Allocation> parse_allocation(const json& result) {
  const std::optional<uint64_t> client = json_unsigned(result, "Client");
  const std::optional<uint64_t> provider = json_unsigned(result, "Provider");
  const std::optional<Cid> piece_cid = cid_of(json_member(result, "Data"));
  const std::optional<uint64_t> padded_bytes = json_unsigned(result, "Size");
  const std::optional<int64_t> term_min = json_integer(result, "TermMin");
  const std::optional<int64_t> term_max = json_integer(result, "TermMax");
  const std::optional<int64_t> expiration = json_integer(result, "Expiration");
  if (!client || !provider || !piece_cid || !padded_bytes || !term_min || !term_max || !expiration) return std::nullopt;
  return Allocation{*client, *provider, *piece_cid, *padded_bytes, *term_min, *term_max, *expiration};
}

std::optional<Claim> parse_claim(const json& result) {
  const std::optional<uint64_t> client = json_unsigned(result, "Client");
  const std::optional<uint64_t> provider = json_unsigned(result, "Provider");
  const std::optional<Cid> piece_cid = cid_of(json_member(result, "Data"));
  const std::optional<uint64_t> padded_bytes = json_unsigned(result, "Size");
  const std::optional<int64_t> term_start = json_integer(result, "TermStart");
  const std::optional<int64_t> term_max = json_integer(result, "TermMax");
  const std::optional<uint64_t> sector = json_unsigned(result, "Sector");
  if (!client || !provider || !piece_cid || !padded_bytes || !term_start || !term_max || !sector) return std::nullopt;
  return Claim{*client, *provider, *piece_cid, *padded_bytes, *term_start, *term_max, *sector};
}

std::optional<SectorInfo> parse_sector_info(const json& result) {
  const std::optional<uint64_t> sector = json_unsigned(result, "SectorNumber");
  const std::optional<int64_t> activation = json_integer(result, "Activation");
  const std::optional<int64_t> expiration = json_integer(result, "Expiration");
  if (!sector || !activation || !expiration) return std::nullopt;
  return SectorInfo{*sector, *activation, *expiration};
}

std::optional<bool> bit_field_has(const json& result, uint64_t number) {
  if (!result.is_array()) return std::nullopt;
  uint64_t begin = 0;
  bool is_set = false;  // the first run is of zeros
  bool has = false;
  for (const json& run : result) {
    if (!run.is_number_unsigned()) return std::nullopt;
    const auto length = run.get<uint64_t>();
    if (length > kBitFieldEndMax - begin) return std::nullopt;
    has = has || (is_set && number >= begin && number < begin + length);
    begin += length;
    is_set = !is_set;
  }
  return has;
}

std::optional<SearchedMessage> parse_searched_message(const json& result) {
  const std::optional<Cid> message_cid = cid_of(json_member(result, "Message"));
  const json* const receipt = json_member(result, "Receipt");
  const std::optional<int64_t> epoch = json_integer(result, "Height");
  std::optional<std::vector<std::string>> tipset_key = tipset_key_of(json_member(result, "TipSet"));
  if (!message_cid || receipt == nullptr || !epoch || !tipset_key) return std::nullopt;
  const std::optional<int64_t> exit_code = json_integer(*receipt, "ExitCode");
  std::optional<std::vector<uint8_t>> return_value = bytes_of(json_member(*receipt, "Return"));
  if (!exit_code || !return_value) return std::nullopt;
  return SearchedMessage{*message_cid, *exit_code, std::move(*return_value), *epoch, std::move(*tipset_key)};
}

std::optional<ChainMessage> parse_chain_message(const json& result, char prefix) {
  const std::optional<Address> from = address_of(json_member(result, "From"), prefix);
  const std::optional<Address> to = address_of(json_member(result, "To"), prefix);
  const std::optional<uint64_t> method = json_unsigned(result, "Method");
  std::optional<std::vector<uint8_t>> parameters = bytes_of(json_member(result, "Params"));
  if (!from || !to || !method || !parameters) return std::nullopt;
  return ChainMessage{*from, *to, *method, std::move(*parameters)};
}

std::optional<std::vector<SectorEvent>> parse_sector_events(const json& result, char prefix) {
  if (!result.is_array() || result.size() > kEventsMax) return std::nullopt;
  std::vector<SectorEvent> events;
  for (const json& item : result) {
    std::optional<SectorEvent> event = parse_sector_event(item, prefix);
    if (!event) return std::nullopt;
    if (!event->type.empty()) events.push_back(std::move(*event));
  }
  return events;
}

json sector_event_filter(const Address& provider, char prefix, std::string_view type, const Cid& piece_cid_v1,
                         Epoch from_epoch, Epoch to_epoch) {
  CborWriter type_value;
  type_value.text(type);
  CborWriter piece;
  piece.link(piece_cid_v1.bytes());
  return {{"addresses", json::array({provider.text(prefix)})},
          {"fields", {{"$type", event_field(type_value.take())}, {"piece-cid", event_field(piece.take())}}},
          {"fromHeight", from_epoch},
          {"toHeight", to_epoch}};
}

bool is_same_deal(const DealProposal& on_chain, const DealProposal& ours, const Address& client_id) {
  const bool is_same_client = on_chain.client == ours.client || (!client_id.empty() && on_chain.client == client_id);
  return is_same_client && on_chain.provider == ours.provider && on_chain.piece_cid == ours.piece_cid &&
         on_chain.padded_bytes == ours.padded_bytes && on_chain.is_verified == ours.is_verified &&
         on_chain.label.content == ours.label.content && on_chain.start_epoch == ours.start_epoch &&
         on_chain.end_epoch == ours.end_epoch && on_chain.price_per_epoch == ours.price_per_epoch &&
         on_chain.provider_collateral == ours.provider_collateral &&
         on_chain.client_collateral == ours.client_collateral;
}

}  // namespace piecework::engine
