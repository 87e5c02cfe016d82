// The choice by codec; see block_links.h. dag-json is dag_json_links.cc.
#include "engine/codec/block_links.h"

#include "engine/codec/dag_cbor.h"
#include "engine/codec/dag_pb.h"

namespace piecework::engine {
namespace {

Status visit_dag_pb_links(ByteSpan block, const LinkVisitor& visit) {
  PIECEWORK_ASSIGN(const PbNode node, decode_pb_node(block));
  for (const PbLink& link : node.links()) PIECEWORK_TRY(visit(link.cid));
  return {};
}

}  // namespace

bool may_have_links(uint64_t codec) { return codec == kCodecDagPb || codec == kCodecDagCbor || codec == kCodecDagJson; }

bool is_walked_codec(uint64_t codec) { return codec == kCodecRaw || may_have_links(codec); }

Status visit_block_links(uint64_t codec, ByteSpan block, const LinkVisitor& visit) {
  switch (codec) {
    case kCodecDagPb:
      return visit_dag_pb_links(block, visit);
    case kCodecDagCbor:
      return visit_dag_cbor_links(block, visit);
    case kCodecDagJson:
      return visit_dag_json_links(block, visit);
    default:
      return {};
  }
}

Status list_block_links(uint64_t codec, ByteSpan block, std::vector<Cid>& links) {
  links.clear();
  Status status = visit_block_links(codec, block, [&links](const CidView& link) -> Status {
    links.emplace_back(link);
    return {};
  });
  if (!status) links.clear();
  return status;
}

}  // namespace piecework::engine
