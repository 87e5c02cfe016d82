// A deal for tests of the adapters: the golden wallet, a piece of two MiB or so, terms that the model of a provider
// takes.
#pragma once

#include <string>

#include "engine/codec/piece_cid.h"
#include "engine/deal/deal_adapter.h"
#include "engine/deal/deal_signer.h"
#include "tests/engine/deal/golden_deal.h"
#include "tools/deal/adapter_options.h"

namespace piecework::tools {

inline engine::DealRequest deal_terms() {
  engine::DealRequest request;
  const engine::PieceCid piece =
      engine::parse_piece_cid("baga6ea4seaqao7s73y24kcutaosvacpdjgfe5pw76ooefnyqw4ynr3d2y6x2mpq").value();
  request.piece_root = piece.root;
  request.payload_bytes = 1'500'000;
  request.padded_bytes = 2 << 20;
  request.payload_root = engine::parse_cid("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi").value();
  request.client = engine::Address::parse("t1ksu3ktw4xhyaoltwr546b3epfs5wxxqfyyxipwi", 't').value();
  request.client_id = engine::Address::of_actor(200);
  request.provider = engine::Address::of_actor(1000);
  request.start_epoch = 5'000'000;
  request.end_epoch = 6'468'000;
  request.provider_collateral = engine::AttoFil(5'000'000'000'000'000);
  return request;
}

}  // namespace piecework::tools
