// From the terms of a deal to the structures that are signed, with every check that must come before a signature.
#pragma once

#include <string>

#include "engine/deal/deal_adapter.h"
#include "engine/deal/deal_proposal.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// What holds for a deal of any protocol: sizes that fit, a provider by its id, an f1 client, epochs in order, prices
// that agree with each other and with the terms, a source of data where one is needed. Errors: kInvalidArgument
// (config), kConflict (internal) where prices disagree.
Status check_deal_request(const DealRequest& request);

// The f05 proposal of `request`, checked (check_deal_proposal). The client is the f1 address: then the proposal is
// valid before anybody has looked up an id. Errors: as above.
Result<DealProposal> make_deal_proposal(const DealRequest& request);

// Untrusted text for a record: cut to kProviderTextBytesMax bytes, then escaped.
std::string provider_text(std::string_view text);

}  // namespace piecework::engine
