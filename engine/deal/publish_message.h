// PublishStorageDeals, the message that puts f05 deals on chain: which deal id a proposal of ours got, from the message
// and its receipt alone. Source: go-state-types builtin/v16/market, go-bitfield (RLE+), deals.md 2.2.
//
//   parameters   [[signed proposal, ...]]
//   return       [[deal id, ...], bytes(bit field of the proposals that were taken)]
//
// The i-th proposal has the id ids[rank of i among the set bits]. Both are hostile input.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/deal/deal_proposal.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

inline constexpr uint64_t kMarketActorId = 5;
inline constexpr uint64_t kPublishStorageDealsMethod = 4;

// Errors of both: kCorrupt.
Result<std::vector<SignedProposal>> decode_publish_parameters(ByteSpan cbor);
struct PublishedDeals {
  std::vector<uint64_t> ids;
  std::vector<bool> is_taken;  // by place in the parameters; what is past its end was not taken
};
Result<PublishedDeals> decode_publish_return(ByteSpan cbor);

enum class PublishVerdict : uint8_t { kPublished, kNotAmong, kNotTaken };
struct PublishResult {
  PublishVerdict verdict = PublishVerdict::kNotAmong;
  uint64_t deal_id = 0;  // of kPublished
};
// What became of the proposal whose signed form has the CID `signed_cid`. Errors: kCorrupt, also where there are fewer
// ids than proposals that were taken.
Result<PublishResult> find_published(ByteSpan parameters, ByteSpan return_value, const Cid& signed_cid);

}  // namespace piecework::engine
