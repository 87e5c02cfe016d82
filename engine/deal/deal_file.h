// A deal as a JSON document, for providers and tools that are not spoken to over a network: what was proposed in words,
// the signed proposal in CBOR, and the message that an MK12 provider would have been sent.
#pragma once

#include <string>

#include "engine/deal/deal_adapter.h"
#include "engine/deal/deal_key.h"
#include "engine/deal/deal_signer.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// A signed f05 proposal under a new key with its three CIDs, and `bytes` empty; what MK12, offline and command deals
// have in common.
struct SignedDeal {
  DealUuid uuid{};
  SignedProposal signed_proposal;
  PreparedDeal prepared;
};
// Errors: those of make_deal_proposal and of the signer; kInvalidArgument (config) for an allocation, which only MK20
// deals have.
Result<SignedDeal> sign_deal(const DealRequest& request, DealSigner& signer);

// The document, one object and a newline. Amounts are decimal text, bytes hexadecimal.
std::string encode_deal_file(const DealRequest& request, const SignedDeal& deal);

// The DealParams of the deal, in CBOR.
std::vector<uint8_t> encode_mk12_deal(const DealRequest& request, const SignedDeal& deal);

}  // namespace piecework::engine
