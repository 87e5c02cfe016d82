// DagFiller of dag_filler.h as part of a checkpoint: its open nodes and its place in the walk.
#include "engine/layout/node_lengths.h"
#include "engine/piece/dag_filler.h"
#include "engine/piece/run_builder.h"

namespace piecework::engine {
namespace {

using Role = SectionEvent::Role;

// Of a saved open node or block; fewer bytes cannot be one.
constexpr size_t kNodeBytesMin = 128;
constexpr size_t kBlockBytesMin = 20;
constexpr int kBucketMax = 255;

}  // namespace

void DagFiller::save_node(const OpenNode& node, StateWriter& writer) {
  writer.integer(static_cast<uint8_t>(node.event.role));
  writer.flag(node.event.is_hamt);
  writer.integer(node.event.bucket);
  writer.integer(node.event.class_index);
  writer.integer(node.event.block_bytes);
  writer.integer(node.event.offset_bytes);
  writer.integer(node.event.tsize);
  writer.integer(node.event.file_bytes);
  writer.text(node.name);
  const kernels::Sha256State& hash = node.hasher.state();
  for (const uint32_t word : hash.words) writer.integer(word);
  writer.integer(hash.total_bytes);
  writer.raw({hash.pending, hash.total_bytes % sizeof hash.pending});
  writer.integer(node.spool_cid_bytes);
  writer.integer(node.child_count);
  writer.integer(node.first_child_bytes);
  writer.integer(node.last_child_bytes);
  for (const uint64_t word : node.buckets.words()) writer.integer(word);
  writer.integer<uint32_t>(static_cast<uint32_t>(node.path_bytes));
  writer.flag(node.has_parts_elsewhere);
}

bool DagFiller::restore_node(OpenNode& node, StateReader& reader, uint64_t car_bytes) const {
  const uint8_t role = reader.integer<uint8_t>();
  reader.require(role < static_cast<uint8_t>(Role::kSymlink));
  node.event.kind = SectionEvent::Kind::kEnter;
  node.event.role = static_cast<Role>(role);
  node.event.is_hamt = reader.flag();
  node.event.bucket = reader.integer<int16_t>();
  node.event.class_index = reader.integer<uint32_t>();
  node.event.block_bytes = reader.integer<uint32_t>();
  node.event.offset_bytes = reader.integer<uint64_t>();
  node.event.tsize = reader.integer<uint64_t>();
  node.event.file_bytes = reader.integer<uint64_t>();
  node.event.header_bytes = section_header_bytes(profile_.node_cid_bytes(), node.event.block_bytes);
  node.name = reader.text();
  kernels::Sha256State hash;
  for (uint32_t& word : hash.words) word = reader.integer<uint32_t>();
  hash.total_bytes = reader.integer<uint64_t>();
  const ByteSpan pending = reader.raw(hash.total_bytes % sizeof hash.pending);
  std::copy(pending.begin(), pending.end(), hash.pending);
  node.hasher = kernels::Sha256(hash);
  node.written_bytes = hash.total_bytes;
  node.spool_cid_bytes = reader.integer<uint64_t>();
  node.child_count = reader.integer<uint64_t>();
  node.first_child_bytes = reader.integer<uint64_t>();
  node.last_child_bytes = reader.integer<uint64_t>();
  for (uint64_t& word : node.buckets.words()) word = reader.integer<uint64_t>();
  node.path_bytes = reader.integer<uint32_t>();
  node.has_parts_elsewhere = reader.flag();

  // Every place that is still to be written lies in its own section and its own part of the spool.
  const uint64_t block_bytes = node.event.block_bytes;
  reader.require(node.event.bucket >= -1 && node.event.bucket <= kBucketMax);
  reader.require(block_bytes <= RunBuilder::kSectionBytesMax && node.written_bytes <= block_bytes);
  reader.require(node.event.offset_bytes <= car_bytes &&
                 node.event.header_bytes + block_bytes <= car_bytes - node.event.offset_bytes);
  reader.require(node.spool_cid_bytes <= spool_bytes_ &&
                 profile_.node_cid_bytes() + block_bytes <= spool_bytes_ - node.spool_cid_bytes);
  reader.require(node.path_bytes <= path_.size() && node.event.class_index <= classes_.class_count());
  return reader.ok();
}

void DagFiller::save_block(const OpenBlock& block, StateWriter& writer) {
  writer.integer(static_cast<uint8_t>(block.event.role));
  writer.integer(block.event.file_bytes);
  writer.text(block.name);
  writer.bytes({block.node.cid, block.node.cid_bytes});
  writer.integer<uint32_t>(static_cast<uint32_t>(block.path_bytes));
}

bool DagFiller::restore_block(OpenBlock& block, StateReader& reader) const {
  const uint8_t role = reader.integer<uint8_t>();
  reader.require(role <= static_cast<uint8_t>(Role::kOther));
  block.event.kind = SectionEvent::Kind::kBlockEnter;
  block.event.role = static_cast<Role>(role);
  block.event.file_bytes = reader.integer<uint64_t>();
  block.name = reader.text();
  const ByteSpan cid = reader.bytes();
  block.path_bytes = reader.integer<uint32_t>();
  reader.require(cid.size() <= sizeof block.node.cid && block.path_bytes <= path_.size());
  if (!reader.ok()) return false;
  std::copy(cid.begin(), cid.end(), block.node.cid);
  block.node.cid_bytes = cid.size();
  return true;
}

void DagFiller::save(StateWriter& writer) const {
  writer.text(path_);
  writer.integer<uint32_t>(static_cast<uint32_t>(shadow_path_bytes_.size()));
  for (const size_t path_bytes : shadow_path_bytes_) writer.integer<uint32_t>(static_cast<uint32_t>(path_bytes));
  writer.flag(in_file_);
  const size_t section_count = in_file_ ? file_sections_.size() : 0;  // else they are of a file that is listed
  writer.integer<uint32_t>(static_cast<uint32_t>(section_count));
  for (size_t i = 0; i < section_count; ++i) {
    writer.integer(file_sections_[i].begin);
    writer.integer(file_sections_[i].end);
  }
  writer.integer(walk_end_bytes_);
  writer.integer(block_count_);
  writer.integer(spool_bytes_);
  writer.bytes(root_cid());
  writer.integer<uint32_t>(static_cast<uint32_t>(open_count_));
  for (size_t i = 0; i < open_count_; ++i) save_node(open_[i], writer);
  writer.integer<uint32_t>(static_cast<uint32_t>(open_blocks_.size()));
  for (const OpenBlock& block : open_blocks_) save_block(block, writer);
}

bool DagFiller::restore_paths(StateReader& reader) {
  path_ = reader.text();
  for (size_t left = reader.count(sizeof(uint32_t)); left > 0; --left) {
    shadow_path_bytes_.push_back(reader.integer<uint32_t>());
    reader.require(shadow_path_bytes_.back() <= path_.size());
  }
  in_file_ = reader.flag();
  for (size_t left = reader.count(2 * sizeof(uint64_t)); left > 0; --left) {
    const uint64_t begin = reader.integer<uint64_t>();
    file_sections_.push_back({begin, reader.integer<uint64_t>()});
  }
  return reader.ok();
}

bool DagFiller::restore(StateReader& reader, uint64_t car_bytes) {
  if (!restore_paths(reader)) return false;
  walk_end_bytes_ = reader.integer<uint64_t>();
  block_count_ = reader.integer<uint64_t>();
  spool_bytes_ = reader.integer<uint64_t>();
  const ByteSpan root = reader.bytes();
  reader.require(root.size() <= sizeof root_cid_);
  if (!reader.ok()) return false;
  std::copy(root.begin(), root.end(), root_cid_);
  root_cid_bytes_ = root.size();
  for (size_t left = reader.count(kNodeBytesMin); left > 0; --left) {
    if (!restore_node(open_.emplace_back(), reader, car_bytes)) return false;
  }
  open_count_ = open_.size();
  for (size_t left = reader.count(kBlockBytesMin); left > 0; --left) {
    if (!restore_block(open_blocks_.emplace_back(), reader)) return false;
  }
  return reader.ok();
}

}  // namespace piecework::engine
