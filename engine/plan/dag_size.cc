#include "engine/plan/dag_size.h"

#include "engine/layout/node_lengths.h"

namespace piecework::engine {

bool DagSize::is_known(const CidView& cid) {
  return batch_.find(cid.bytes).has_value() || own.find(cid.bytes).has_value();
}

bool DagSize::visit(const VisitedBlock& block, bool) {
  const bool is_external = block.external != StoredBlock::External::kNo;
  if (block.depth == 0) root_has_links = block.child_count > 0;
  if (block.depth == 0) root_is_external = is_external;
  if (is_external) return true;
  own.add(block.cid.bytes, 0);
  bytes += section_bytes(static_cast<uint32_t>(block.cid.bytes.size()), block.place.length_bytes);
  return fits();
}

}  // namespace piecework::engine
