// Items of CBOR that the messages of the deal protocols are made of, over cbor_reader.h; for readers of messages that
// hold a proposal among other things.
#pragma once

#include <cstdint>

#include "engine/codec/cbor_reader.h"
#include "engine/deal/deal_proposal.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// Each reads one item of its kind. Errors: kCorrupt with the offset.
Result<ByteSpan> read_cbor_bytes(CborReader& reader);
Result<uint64_t> read_cbor_unsigned(CborReader& reader);
Result<int64_t> read_cbor_integer(CborReader& reader);
Result<bool> read_cbor_boolean(CborReader& reader);
// Reads the item that follows, whatever it is. Never recursive; the number of heads is that of the bytes at most.
Status skip_cbor_item(CborReader& reader);

Result<DealProposal> read_deal_proposal(CborReader& reader);
Result<SignedProposal> read_signed_proposal(CborReader& reader);

}  // namespace piecework::engine
