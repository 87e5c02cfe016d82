// The messages of Curio's MK20 deal protocol ("Market 2.0"), product ddo_v1 with retrieval_v1. Source: curio
// market/mk20 and its documentation of the HTTP API, deals.md 1.3.
//
//   POST /market/mk20/deal                    the deal in JSON -> "Reason: ..." and a status
//   GET  /market/mk20/status/<ULID>           {"ddo_v1": {"status": "accepted" ... "complete", "errorMsg": ""}}
//   GET  /market/mk20/uploads/<ULID>          {"total_chunks", "uploaded", "missing", "uploaded_chunks",
//   "missing_chunks"} POST /market/mk20/uploads/<ULID>          {"raw_size", "chunk_size"} PUT
//   /market/mk20/uploads/<ULID>/<chunk>  chunks count from 1 POST /market/mk20/uploads/finalize/<ULID>
//
// A deal gets no receipt: the ULID that the client chose is all there is. Replies are hostile input.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/deal/deal_adapter.h"
#include "engine/deal/deal_key.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

inline constexpr size_t kMk20ReplyBytesMax = size_t{4} << 20;  // lists of chunks are long
inline constexpr uint64_t kMk20ChunkBytesMin = uint64_t{16} << 20;
inline constexpr uint64_t kMk20ChunkBytesMax = uint64_t{256} << 20;
inline constexpr std::string_view kMk20Path = "/market/mk20";

// The deal's JSON. REQUIRES: check_mk20_request(request) holds.
std::string encode_mk20_deal(const DealRequest& request, const DealUlid& ulid);
// What MK20 asks for beside check_deal_request: no price, no collateral of the client, an allocation where and only
// where the deal is verified, durations. Errors: kInvalidArgument (config).
Status check_mk20_request(const DealRequest& request);

struct Mk20Status {
  std::string stage;  // untrusted, like `error`
  std::string error;
};
// None where `body` is no such reply.
std::optional<Mk20Status> decode_mk20_status(ByteSpan body);

struct Mk20Upload {
  uint64_t chunk_count = 0;
  std::vector<uint64_t> missing;  // from 1 to chunk_count, ascending, none twice
};
// None where `body` is no such reply, or its numbers disagree.
std::optional<Mk20Upload> decode_mk20_upload(ByteSpan body);

std::string encode_mk20_upload_start(uint64_t payload_bytes, uint64_t chunk_bytes);

// "malformed data source", "too busy": what an MK20 status code means; "" for others.
std::string_view mk20_code_meaning(int http_status);

}  // namespace piecework::engine
