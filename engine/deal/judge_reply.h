// What a provider's answer to a proposal means. The rule (deals.md 6): an acceptance or a refusal only in the
// provider's own words; anything else may hide a deal that was made.
//
//   no reply, cut off, not understood     unknown    (both providers go on with a deal after their client has left, and
//                                                     answer 503 after ten seconds while they still do)
//   1xx, 3xx, 5xx, 408, 429               unknown
//   425                                   unknown; of MK20 with its own words: rejected
//   other 4xx                             rejected
//   "already there", of any status        unknown    (or accepted, where it names our key)
//   rejected, of a repetition             unknown    (it may be a refusal of the repetition alone)
#pragma once

#include "engine/deal/deal_adapter.h"
#include "io/http_client.h"

namespace piecework::engine {

SubmitOutcome judge_mk12_submit(const io::HttpOutcome& http, const PreparedDeal& deal, bool is_repeat);
SubmitOutcome judge_mk20_submit(const io::HttpOutcome& http, bool is_repeat);

// What a status reply says of `deal`. MK12: only the very proposal counts as ours. MK20: 401 is not decided here (it
// means absent, foreign, or a wrong clock): kNoAnswer.
StatusClaim judge_mk12_status(const io::HttpOutcome& http, const PreparedDeal& deal);
StatusClaim judge_mk20_status(const io::HttpOutcome& http);

}  // namespace piecework::engine
