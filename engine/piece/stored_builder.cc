// The part of the source stage that places blocks of a store.
#include "engine/layout/node_lengths.h"
#include "engine/piece/run_builder.h"

namespace piecework::engine {
namespace {

using Kind = SectionEvent::Kind;
using Role = SectionEvent::Role;

Role event_role(StoredBlock::Role role) {
  switch (role) {
    case StoredBlock::Role::kDirectory:
      return Role::kDirectory;
    case StoredBlock::Role::kShard:
      return Role::kShard;
    case StoredBlock::Role::kFile:
      return Role::kFile;
    case StoredBlock::Role::kFilePart:
      return Role::kFilePart;
    case StoredBlock::Role::kSymlink:
      return Role::kSymlink;
    case StoredBlock::Role::kOther:
      break;
  }
  return Role::kOther;
}

}  // namespace

// A block of a store. Its CID is known, so nothing about it is ever late.
RunBuilder::Step RunBuilder::place_block(Run& run) {
  const StoredBlock& block = record_->stored;
  if (block.external != StoredBlock::External::kNo) {
    finish_node(run);
    return Step::kPlaced;
  }
  const auto cid_bytes = static_cast<uint32_t>(block.cid.size());
  const bool is_written = !record_->is_reference;
  if (is_written && !fits(run, section_bytes(cid_bytes, record_->block_bytes))) return Step::kRunFull;
  const Kind kind = !is_written ? Kind::kBlockRefer : record_->child_count > 0 ? Kind::kBlockEnter : Kind::kBlock;
  SectionEvent event = event_of(run, kind, event_role(block.role));
  event.class_index = block.source_index;
  event.is_dag_root = block.is_dag_root;
  event.is_file_data = block.is_file_data;
  event.is_unread = block.is_unread;
  event.is_inline = block.is_inline;
  const uint32_t cid_position = run.add_text(as_text(block.cid));
  event.target_bytes = cid_bytes;
  if (is_written) {
    place_section(run, event, cid_bytes, record_->block_bytes);
    if (!block.is_inline) add_block(run, event, cid_position);
  } else {
    event.offset_bytes = block.first_offset_bytes;
    event.block_bytes = static_cast<uint32_t>(record_->block_bytes);
    event.header_bytes = section_header_bytes(cid_bytes, record_->block_bytes);
  }
  run.events.push_back(event);
  if (kind == Kind::kBlockEnter)
    open_node(run, record_->child_count, {.is_block = true});
  else
    finish_node(run);
  return Step::kPlaced;
}

void RunBuilder::add_block(Run& run, const SectionEvent& event, uint32_t cid_position) {
  const size_t block_offset = run.buffer_phase() + (event.offset_bytes - run.begin_bytes) + event.header_bytes;
  FileToRead file;
  file.path_position = cid_position;
  file.path_bytes = event.target_bytes;
  file.extent_begin = static_cast<uint32_t>(run.extents.size());
  file.file_bytes = event.block_bytes;
  file.store_source = static_cast<int32_t>(record_->stored.source_index);
  if (event.block_bytes > 0) {
    run.extents.push_back({record_->stored.place_offset_bytes, event.block_bytes, static_cast<uint32_t>(block_offset)});
  }
  file.extent_end = static_cast<uint32_t>(run.extents.size());
  run.files.push_back(std::move(file));
}

}  // namespace piecework::engine
