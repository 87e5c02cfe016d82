#include "engine/deal/mk12_wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>

#include "engine/codec/cbor_reader.h"
#include "engine/codec/cbor_writer.h"
#include "engine/deal/big_int.h"
#include "engine/deal/proposal_reader.h"

namespace piecework::engine {
namespace {

constexpr uint64_t kMapEntriesMax = 32;
constexpr uint8_t kSimpleNull = 22;

struct FieldReader {
  std::string_view name;
  std::function<Status(CborReader&)> read;
};

// A reader that stores what `read_item` gives in `target`.
template <class Value, class ReadItem>
FieldReader field(std::string_view name, Value& target, ReadItem read_item) {
  return {name, [&target, read_item](CborReader& reader) -> Status {
            auto value = read_item(reader);
            if (!value) return tl::unexpected<Error>(value.error());
            target = std::move(*value);
            return {};
          }};
}

Result<std::string> read_text(CborReader& reader) {
  PIECEWORK_ASSIGN(const std::string_view text, reader.read_text());
  return std::string(text);
}

Result<Cid> read_cid(CborReader& reader) {
  PIECEWORK_ASSIGN(const CidView cid, reader.read_link());
  return Cid(cid);
}

Result<DealUuid> read_uuid(CborReader& reader) {
  PIECEWORK_ASSIGN(const ByteSpan bytes, read_cbor_bytes(reader));
  DealUuid uuid{};
  if (bytes.size() != uuid.size()) return reader.corrupt("a UUID of other than 16 bytes");
  std::ranges::copy(bytes, uuid.begin());
  return uuid;
}

Result<AttoFil> read_amount(CborReader& reader) {
  PIECEWORK_ASSIGN(const ByteSpan bytes, read_cbor_bytes(reader));
  return decode_big_int(bytes);
}

Result<Address> read_address(CborReader& reader) {
  PIECEWORK_ASSIGN(const ByteSpan bytes, read_cbor_bytes(reader));
  return Address::decode(bytes);
}

// Reads a map that has all of `fields`, each once, and maybe others.
Status read_map(CborReader& reader, const std::vector<FieldReader>& fields) {
  PIECEWORK_ASSIGN(const CborHead head, reader.read_head());
  if (head.major != CborMajor::kMap || head.argument > kMapEntriesMax) return reader.corrupt("expected a small map");
  std::vector<std::string_view> seen;
  for (uint64_t i = 0; i < head.argument; ++i) {
    PIECEWORK_ASSIGN(const std::string_view key, reader.read_text());
    if (std::ranges::find(seen, key) != seen.end()) return reader.corrupt("a key that is there twice");
    seen.push_back(key);
    const auto known = std::ranges::find(fields, key, &FieldReader::name);
    PIECEWORK_TRY(known == fields.end() ? skip_cbor_item(reader) : known->read(reader));
  }
  for (const FieldReader& wanted : fields) {
    if (std::ranges::find(seen, wanted.name) == seen.end()) return reader.corrupt(fmt::format("no '{}'", wanted.name));
  }
  return {};
}

Status check_whole(const CborReader& reader) {
  if (!reader.at_end()) return reader.corrupt("bytes after the message");
  return {};
}

// Null, or what `read_item` reads. The head is looked at in a copy, since it belongs to the item.
template <class Value, class ReadItem>
Result<std::optional<Value>> read_nullable(CborReader& reader, ReadItem read_item) {
  CborReader ahead = reader;
  PIECEWORK_ASSIGN(const CborHead head, ahead.read_head());
  if (head.major == CborMajor::kSimple && head.info == kSimpleNull) {
    reader = ahead;
    return std::optional<Value>();
  }
  PIECEWORK_ASSIGN(Value value, read_item(reader));
  return std::optional<Value>(std::move(value));
}

Result<Mk12DealStatus> read_deal_status(CborReader& reader) {
  Mk12DealStatus deal;
  std::optional<Cid> publish_cid;
  PIECEWORK_TRY(read_map(
      reader, {field("Error", deal.error, read_text), field("Status", deal.status, read_text),
               field("Proposal", deal.proposal, read_deal_proposal),
               field("PublishCid", publish_cid, [](CborReader& item) { return read_nullable<Cid>(item, read_cid); }),
               field("ChainDealID", deal.chain_deal_id, read_cbor_unsigned),
               field("SealingStatus", deal.sealing_status, read_text),
               field("SignedProposalCid", deal.signed_proposal_cid, read_cid)}));
  if (publish_cid) deal.publish_cid = *publish_cid;
  return deal;
}

Result<Mk12Ask> read_ask(CborReader& reader) {
  Mk12Ask ask;
  PIECEWORK_TRY(read_map(
      reader, {field("Price", ask.price_per_gib_epoch, read_amount),
               field("VerifiedPrice", ask.verified_price_per_gib_epoch, read_amount),
               field("MinPieceSize", ask.padded_bytes_min, read_cbor_unsigned),
               field("MaxPieceSize", ask.padded_bytes_max, read_cbor_unsigned),
               field("Miner", ask.provider, read_address), field("Timestamp", ask.timestamp_epoch, read_cbor_integer),
               field("Expiry", ask.expiry_epoch, read_cbor_integer)}));
  return ask;
}

// Go's json.Marshal of boost's HttpRequest.
std::string transfer_parameters(const PieceUrl& url) {
  nlohmann::ordered_json json;
  json["URL"] = url.url;
  json["Headers"] = nlohmann::ordered_json::object();
  for (const auto& [name, value] : url.headers) json["Headers"][name] = value;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

std::vector<uint8_t> encode_mk12_deal(const Mk12Deal& deal) {
  CborWriter writer;
  writer.map(7);
  writer.text("DealUUID");
  writer.byte_string(deal.uuid);
  writer.text("Transfer");
  writer.map(4);
  writer.text("Size");
  writer.unsigned_integer(deal.url ? deal.payload_bytes : 0);
  writer.text("Type");
  writer.text(deal.url ? "http" : "");
  writer.text("Params");
  writer.byte_string(deal.url ? as_bytes(transfer_parameters(*deal.url)) : ByteSpan());
  writer.text("ClientID");
  writer.text("");
  writer.text("IsOffline");
  writer.boolean(!deal.url);
  writer.text("DealDataRoot");
  writer.link(deal.payload_root.bytes());
  writer.text("SkipIPNIAnnounce");
  writer.boolean(deal.skip_ipni_announce);
  writer.text("ClientDealProposal");
  writer.raw(encode_signed_proposal(deal.signed_proposal));
  writer.text("RemoveUnsealedCopy");
  writer.boolean(deal.remove_unsealed_copy);
  return writer.take();
}

Result<Mk12Response> decode_mk12_response(ByteSpan bytes) {
  CborReader reader(bytes);
  Mk12Response response;
  PIECEWORK_TRY(read_map(reader, {field("Message", response.message, read_text),
                                  field("Accepted", response.is_accepted, read_cbor_boolean)}));
  PIECEWORK_TRY(check_whole(reader));
  return response;
}

std::vector<uint8_t> encode_mk12_status_query(const DealUuid& uuid, const TypedSignature& signature) {
  CborWriter writer;
  writer.map(2);
  writer.text("DealUUID");
  writer.byte_string(uuid);
  writer.text("Signature");
  writer.byte_string(signature);
  return writer.take();
}

Result<Mk12StatusReply> decode_mk12_status(ByteSpan bytes) {
  CborReader reader(bytes);
  Mk12StatusReply reply;
  PIECEWORK_TRY(
      read_map(reader, {field("Error", reply.error, read_text), field("DealUUID", reply.uuid, read_uuid),
                        field("IsOffline", reply.is_offline, read_cbor_boolean),
                        field("DealStatus", reply.deal,
                              [](CborReader& item) { return read_nullable<Mk12DealStatus>(item, read_deal_status); }),
                        field("TransferSize", reply.transfer_bytes, read_cbor_unsigned),
                        field("NBytesReceived", reply.received_bytes, read_cbor_unsigned)}));
  PIECEWORK_TRY(check_whole(reader));
  return reply;
}

std::vector<uint8_t> encode_mk12_ask_query(const Address& provider) {
  CborWriter writer;
  writer.map(1);
  writer.text("Miner");
  writer.byte_string(provider.bytes());
  return writer.take();
}

Result<Mk12Ask> decode_mk12_ask(ByteSpan bytes) {
  CborReader reader(bytes);
  Mk12Ask ask;
  const auto read_signed_ask = [&ask](CborReader& item) -> Result<bool> {
    PIECEWORK_TRY(read_map(item, {field("Ask", ask, read_ask)}));
    return true;
  };
  bool was_read = false;
  PIECEWORK_TRY(read_map(reader, {field("Ask", was_read, read_signed_ask)}));
  PIECEWORK_TRY(check_whole(reader));
  return ask;
}

}  // namespace piecework::engine
