#include "engine/plan/known_blocks.h"

namespace piecework::engine {
namespace {

using External = StoredBlock::External;

bool is_written(const LayoutRecord& record) {
  return record.kind == RecordKind::kBlock && record.stored.external == External::kNo && !record.is_reference;
}

}  // namespace

void KnownBlocks::add(const LayoutRecord& record) {
  if (!for_roots_) return add_held(record);
  const bool is_external = record.kind == RecordKind::kBlock && record.stored.external != External::kNo;
  if (is_external) wanted_.add(record.stored.cid, 0);
}

void KnownBlocks::add_held(const LayoutRecord& record) {
  if (!is_written(record)) return;
  if (!for_roots_ || wanted_.find(record.stored.cid)) held_.add(record.stored.cid);
}

bool KnownBlocks::contains(const CidView& cid) const {
  if (for_roots_ || cid.is_identity()) return false;
  return held_.contains(cid.bytes) && !is_incomplete(cid.bytes);
}

// What a batch wrote is known to be held; a reference leads to a block before it, whose own passage is over.
bool KnownBlocks::Check::is_known(const LayoutRecord& record) const {
  const StoredBlock& block = record.stored;
  if (block.external != External::kNo && !blocks_.held_.contains(block.cid)) return false;
  return !blocks_.is_incomplete(block.cid);
}

void KnownBlocks::Check::add(const LayoutRecord& record) {
  while (!open_.empty() && open_.back().children_left == 0) close();
  if (!open_.empty()) --open_.back().children_left;
  const bool is_block = record.kind == RecordKind::kBlock;
  if (is_block && !is_known(record) && !open_.empty()) open_.back().is_incomplete = true;
  if (record.child_count == 0) return;
  Open& node = open_.emplace_back();
  node.children_left = record.child_count;
  if (is_block) node.cid.assign(record.stored.cid.begin(), record.stored.cid.end());
}

void KnownBlocks::Check::close() {
  const Open node = std::move(open_.back());
  open_.pop_back();
  if (!node.is_incomplete) return;
  if (!node.cid.empty() && blocks_.incomplete_.add(node.cid, 0)) has_taken_out_ = true;
  if (!open_.empty()) open_.back().is_incomplete = true;
}

bool KnownBlocks::Check::finish() {
  while (!open_.empty()) close();
  return has_taken_out_;
}

Status KnownExternal::decide(const MetLink& link, VisitedBlock& block) {
  if (blocks_ != nullptr && link.depth > 0 && blocks_->contains(link.cid)) block.external = External::kKnown;
  return {};
}

}  // namespace piecework::engine
