// The links of a block, whatever its codec: what a walk over a DAG follows. Source: formats.md 2, 10; ipld/ipld
// specs/codecs/{dag-pb,dag-cbor,dag-json}.
//
//   raw        no links                                    dag-pb     dag_pb.h, strict
//   dag-cbor   dag_cbor.h, strict (tag 42)                 dag-json   {"/": "<CID>"}, below
//   any other codec: a leaf, since nothing is known of it; callers list these
//
// Links come in stored order, duplicates included. Nothing recurses, memory does not grow with what a block declares.
//
// An identity CID carries its data inline: no store has a block for it, and it is never missing. It may itself link on
// (an inline dag-pb node): hand its digest to visit_block_links. `ipfs dag export` writes a section for it (kubo 0.43).
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/codec/cid.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

inline constexpr size_t kDagJsonDepthMax = 1024;  // as dag-cbor's

// Whether blocks of this codec are walked: raw, dag-pb, dag-cbor, dag-json.
bool is_walked_codec(uint64_t codec);
// Whether blocks of this codec can have links: the walked ones but raw. What cannot need not be read to be walked.
bool may_have_links(uint64_t codec);

// The CID is valid during the call only: copy it (Cid(view)) to keep it.
using LinkVisitor = std::function<Status(const CidView& link)>;

// Checks the block and calls `visit` for every link. A block of a codec that is not walked has none and is not looked
// at. Stops with the first error, the visitor's own included: links before a fault have been visited by then, so what a
// caller made of them is void. Errors: kCorrupt with the offset (side kSource).
Status visit_block_links(uint64_t codec, ByteSpan block, const LinkVisitor& visit);

// The same into `links`, which is cleared first and keeps its memory; empty after an error. 48 bytes per link, and a
// link takes at least 8 bytes of its block.
Status list_block_links(uint64_t codec, ByteSpan block, std::vector<Cid>& links);

// dag-json: visits {"/": "<CID>"}, a map with that one entry, wherever it stands; {"/": {"bytes": ...}} is data and not
// looked into. Refuses what kubo's decoder refuses: JSON with a fault, text that is not UTF-8, a map key twice, bytes
// behind the value, a link that is no CID; also nesting deeper than kDagJsonDepthMax. Key order and white space are not
// checked: kubo's decoder reads them in any form. Beside the block it takes about 8 bytes per map key.
Status visit_dag_json_links(ByteSpan block, const LinkVisitor& visit);

}  // namespace piecework::engine
