// See node_stack.h.
#include "engine/restore/node_stack.h"

#include <algorithm>

namespace piecework::engine {

void NodeStack::push(const CidView& cid, const BlockPlace& place, std::unique_ptr<NodeCursor> node) {
  resident_bytes_ += node->data_bytes();
  frames_.push_back({Cid(cid), place, 0, std::move(node)});
  while (resident_bytes_ > resident_bytes_max_ && first_resident_ + 1 < frames_.size()) {
    Frame& lowest = frames_[first_resident_++];
    if (!lowest.node) continue;
    resident_bytes_ -= lowest.node->data_bytes();
    lowest.node.reset();
  }
}

void NodeStack::pop() {
  if (frames_.back().node) resident_bytes_ -= frames_.back().node->data_bytes();
  frames_.pop_back();
  first_resident_ = std::min(first_resident_, frames_.size());
}

Result<std::optional<NodeLink>> NodeStack::next() {
  Frame& frame = frames_.back();
  if (!frame.node) {
    PIECEWORK_ASSIGN(frame.node, reader_.open_node(frame.cid.view(), frame.place));
    frame.node->skip(frame.links_done);
    resident_bytes_ += frame.node->data_bytes();
    first_resident_ = std::min(first_resident_, frames_.size() - 1);
  }
  const std::optional<NodeLink> link = frame.node->next();
  if (link) ++frame.links_done;
  return link;
}

}  // namespace piecework::engine
