#include "engine/deal/chain_json.h"

#include "engine/deal/bounded_json.h"
#include "kernels/base/text.h"

namespace piecework::engine {

std::optional<Cid> cid_of(const nlohmann::json* value) {
  if (value == nullptr) return std::nullopt;
  const std::optional<std::string> text = json_text(*value, "/");
  if (!text) return std::nullopt;
  Result<Cid> cid = parse_cid(*text);
  if (!cid) return std::nullopt;
  return std::move(*cid);
}

std::optional<Address> address_of(const nlohmann::json* value, char prefix) {
  if (value == nullptr || !value->is_string()) return std::nullopt;
  Result<Address> address = Address::parse(value->get<std::string>(), prefix);
  if (!address) return std::nullopt;
  return std::move(*address);
}

std::optional<AttoFil> amount_of(const nlohmann::json* value) {
  if (value == nullptr || !value->is_string()) return std::nullopt;
  const Result<AttoFil> amount = parse_atto_fil(value->get<std::string>(), "an amount");
  if (!amount) return std::nullopt;
  return *amount;
}

std::optional<std::vector<uint8_t>> bytes_of(const nlohmann::json* value) {
  if (value == nullptr || value->is_null()) return std::vector<uint8_t>();
  if (!value->is_string()) return std::nullopt;
  const std::optional<std::string> bytes = decode_base64(value->get<std::string>());
  if (!bytes) return std::nullopt;
  return std::vector<uint8_t>(bytes->begin(), bytes->end());
}

}  // namespace piecework::engine
