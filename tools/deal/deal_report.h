// Deals for people and programs: what the chain shows and what a provider says, always apart.
#pragma once

#include <string>

#include "engine/record/catalogue_reader.h"
#include "tools/json_output.h"

namespace piecework::tools {

// The keys of the old web3.storage status API, then ours. `content_cid` is what was asked for; "" leaves it out.
Json deal_json(const engine::CatalogueDeal& deal, const engine::CataloguePiece& piece, const std::string& content_cid);

// Two or three lines, indented, each with its newline.
std::string deal_text(const engine::CatalogueDeal& deal);

}  // namespace piecework::tools
