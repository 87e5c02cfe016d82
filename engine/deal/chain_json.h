// Single values of a node's JSON: CIDs as {"/": text}, addresses, amounts in decimal text, bytes in base64.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/codec/cid.h"
#include "engine/deal/address.h"
#include "engine/deal/atto_fil.h"

namespace piecework::engine {

// Each gives none where `value` is null (no such member) or of another kind.
std::optional<Cid> cid_of(const nlohmann::json* value);
std::optional<Address> address_of(const nlohmann::json* value, char prefix);
std::optional<AttoFil> amount_of(const nlohmann::json* value);
// Null in JSON, which Go makes of an empty slice, is no bytes.
std::optional<std::vector<uint8_t>> bytes_of(const nlohmann::json* value);
// The key of a tipset: 1 to 64 CIDs.
std::optional<std::vector<std::string>> tipset_key_of(const nlohmann::json* value);

}  // namespace piecework::engine
