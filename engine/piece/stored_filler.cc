// The part of the fill stage that handles blocks of a store. Their CIDs are known, so nothing of them is late: what is
// left to do is the spool of <piece>.nodes, the table of files and the link from a directory that Piecework makes.
#include <cstring>

#include "engine/piece/dag_filler.h"

namespace piecework::engine {

using Kind = SectionEvent::Kind;
using Role = SectionEvent::Role;

namespace {

bool is_file_root(const SectionEvent& event) { return event.role == Role::kFile || event.role == Role::kSymlink; }

ByteRange section_of(const SectionEvent& event) {
  return {event.offset_bytes, event.offset_bytes + event.header_bytes + event.block_bytes};
}

PackedKind packed_kind(const SectionEvent& event) {
  return event.role == Role::kSymlink ? PackedKind::kSymlink : PackedKind::kFile;
}

}  // namespace

DagFiller::DoneNode DagFiller::stored_node(const SectionEvent& event) const {
  const std::string_view cid = run_->target(event);
  DoneNode node;
  node.cid_bytes = cid.size();
  std::memcpy(node.cid, cid.data(), cid.size());
  return node;
}

Status DagFiller::stored_block(const SectionEvent& event) {
  const DoneNode node = stored_node(event);
  const ByteRange section = section_of(event);
  walk_end_bytes_ = section.end;
  const ByteSpan block =
      ByteSpan(run_->bytes()).subspan(event.offset_bytes - run_->begin_bytes + event.header_bytes, event.block_bytes);
  spool_section(event, {node.cid, node.cid_bytes}, event.is_file_data ? ByteSpan() : block, event.is_file_data);
  ++block_count_;
  if (in_file_ && !is_file_root(event))
    add_file_section(section);
  else
    file_sections_.assign(1, section);
  const std::string_view name = run_->name(event);
  if (event.kind == Kind::kBlockEnter) {
    open_blocks_.push_back({event, std::string(name), node, path_.size()});
    if (event.role == Role::kFile) in_file_ = true;
    if (event.role == Role::kDirectory) push_path(name);
  } else if (is_file_root(event)) {
    PIECEWORK_TRY(list_file(name, packed_kind(event), node, event.file_bytes, false));
  }
  link_stored(event, name, node);
  return {};
}

Status DagFiller::stored_exit() {
  const OpenBlock open = std::move(open_blocks_.back());
  open_blocks_.pop_back();
  path_.resize(open.path_bytes);
  if (open.event.role == Role::kFile) {
    PIECEWORK_TRY(list_file(open.name, PackedKind::kFile, open.node, open.event.file_bytes, false));
    in_file_ = false;
  }
  return {};
}

// A block that is written elsewhere in this CAR; what is below it is found through it.
Status DagFiller::stored_reference(const SectionEvent& event) {
  const DoneNode node = stored_node(event);
  const ByteRange section = section_of(event);
  const std::string_view name = run_->name(event);
  if (in_file_) {
    add_file_section(section);
  } else if (is_file_root(event) || event.role == Role::kDirectory) {
    file_sections_.assign(1, section);
    const PackedKind kind = event.role == Role::kDirectory ? PackedKind::kDirectory : packed_kind(event);
    const bool has_more = event.role == Role::kDirectory || (event.role == Role::kFile && !event.is_file_data);
    PIECEWORK_TRY(list_file(name, kind, node, event.file_bytes, has_more));
  }
  link_stored(event, name, node);
  return {};
}

// Only the root of a stored DAG has a parent that Piecework makes, or is the root of the CAR.
void DagFiller::link_stored(const SectionEvent& event, std::string_view name, const DoneNode& node) {
  if (event.is_dag_root) link_to_parent(event, name, node);
}

}  // namespace piecework::engine
