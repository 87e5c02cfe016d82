#include "engine/piece/dag_filler.h"

#include <array>
#include <cstring>

#include "engine/codec/dag_cbor.h"
#include "engine/codec/dag_pb.h"
#include "engine/record/nodes_format.h"

namespace piecework::engine {
namespace {

using Kind = SectionEvent::Kind;
using Role = SectionEvent::Role;

// A link: CID, two hex digits and a name of 255 bytes, with their tags and lengths.
constexpr size_t kLinkBytesMax = kCidBytesMax + 300;
// A CAR's header with one root.
constexpr size_t kCarHeaderBytesMax = kCidBytesMax + 64;

}  // namespace

void DagFiller::add_file_section(ByteRange section) {
  if (!file_sections_.empty() && file_sections_.back().end == section.begin)
    file_sections_.back().end = section.end;
  else
    file_sections_.push_back(section);
}

Status DagFiller::fill(Run& run) {
  run_ = &run;
  run.spool_begin_bytes = spool_bytes_;
  for (const SectionEvent& event : run.events) PIECEWORK_TRY(handle(event));
  collect_holes();
  run_ = nullptr;
  PIECEWORK_ASSIGN(run.file_table_bytes, files_.flush());
  return {};
}

Status DagFiller::handle(const SectionEvent& event) {
  switch (event.kind) {
    case Kind::kEnter:
      enter(event);
      return {};
    case Kind::kExit:
      return exit();
    case Kind::kLeaf:
    case Kind::kSymlink:
      return leaf(event);
    case Kind::kRefer:
      return refer(event);
    case Kind::kShadowEnter:
      shadow_path_bytes_.push_back(path_.size());
      push_path(run_->name(event));
      return {};
    case Kind::kShadowExit:
      path_.resize(shadow_path_bytes_.back());
      shadow_path_bytes_.pop_back();
      return {};
    case Kind::kShadowFile:
    case Kind::kShadowSymlink:
      return list_shadow(event);
    case Kind::kBlock:
    case Kind::kBlockEnter:
      return stored_block(event);
    case Kind::kBlockExit:
      return stored_exit();
    case Kind::kBlockRefer:
      return stored_reference(event);
  }
  return {};
}

void DagFiller::push_path(std::string_view name) {
  if (!path_.empty() && !name.empty()) path_ += '/';
  path_ += name;
}

void DagFiller::enter(const SectionEvent& event) {
  if (open_count_ == open_.size()) open_.emplace_back();
  OpenNode& node = open_[open_count_++];
  node.event = event;
  node.name = run_->name(event);
  node.hasher = kernels::Sha256();
  node.written_bytes = node.child_count = node.first_child_bytes = node.last_child_bytes = 0;
  node.buckets = HamtBitfield();
  node.has_parts_elsewhere = false;
  node.path_bytes = path_.size();
  if (event.role == Role::kDirectory) push_path(node.name);
  if (event.role == Role::kFile) {
    in_file_ = true;
    file_sections_.clear();
  }
  walk_end_bytes_ = event.offset_bytes + event.header_bytes + event.block_bytes;
  if (in_file_) add_file_section({event.offset_bytes, walk_end_bytes_});
  node.spool_cid_bytes = spool_section(event, {}, {}, false);
  ++block_count_;
}

void DagFiller::append_to(OpenNode& node, ByteSpan bytes) {
  node.hasher.append(bytes);
  put(node.event.offset_bytes + node.event.header_bytes + node.written_bytes, bytes);
  put_spool(node.spool_cid_bytes + profile_.node_cid_bytes() + node.written_bytes, bytes);
  node.written_bytes += bytes.size();
}

void DagFiller::write_data_field(OpenNode& node) {
  std::array<uint8_t, 64> head;
  uint8_t* at = head.data();
  const auto append_head = [&] { append_to(node, {head.data(), static_cast<size_t>(at - head.data())}); };
  const bool is_file = node.event.role == Role::kFile || node.event.role == Role::kFilePart;
  if (!is_file && node.event.is_hamt) {
    at = encode_pb_data_header(at, unixfs_hamt_bytes(node.buckets.trimmed_bytes()));
    at = encode_unixfs_hamt(at, node.buckets);
    return append_head();
  }
  if (!is_file) {
    at = encode_pb_data_header(at, kUnixfsDirectoryBytes);
    at = encode_unixfs_directory(at);
    return append_head();
  }
  const uint64_t full_count = node.child_count - 1;  // all children but the last are alike
  const uint64_t data_bytes = unixfs_file_head_bytes(node.event.file_bytes) +
                              full_count * unixfs_block_size_bytes(node.first_child_bytes) +
                              unixfs_block_size_bytes(node.last_child_bytes);
  at = encode_pb_data_header(at, data_bytes);
  at = encode_unixfs_file_head(at, node.event.file_bytes);
  append_head();
  for (uint64_t i = 0; i < node.child_count; ++i) {
    at = encode_unixfs_block_size(head.data(), i < full_count ? node.first_child_bytes : node.last_child_bytes);
    append_head();
  }
}

Status DagFiller::exit() {
  OpenNode& node = open_[open_count_ - 1];
  write_data_field(node);
  PIECEWORK_CHECK(node.written_bytes == node.event.block_bytes);  // the layout's promise
  const Digest32 digest = node.hasher.finish();
  DoneNode done = done_node(digest, false);
  done.has_parts_elsewhere = node.has_parts_elsewhere;
  uint8_t header[kVarintBytesMax + kCidV1Sha256Bytes];
  uint8_t* at = encode_varint(header, done.cid_bytes + node.event.block_bytes);
  std::memcpy(at, done.cid, done.cid_bytes);
  put(node.event.offset_bytes, {header, static_cast<size_t>(at - header) + done.cid_bytes});
  put_spool(node.spool_cid_bytes, {done.cid, done.cid_bytes});
  PIECEWORK_TRY(keep_class(node.event, digest, false, node.has_parts_elsewhere));
  path_.resize(node.path_bytes);
  if (node.event.role == Role::kFile) {
    PIECEWORK_TRY(list_file(node.name, PackedKind::kFile, done, node.event.file_bytes, node.has_parts_elsewhere));
    in_file_ = false;
  }
  --open_count_;  // `node` keeps its place in open_
  link_to_parent(node.event, node.name, done);
  return {};
}

Status DagFiller::leaf(const SectionEvent& event) {
  const bool is_symlink = event.kind == Kind::kSymlink;
  const PackedKind kind = is_symlink ? PackedKind::kSymlink : PackedKind::kFile;
  const bool is_raw = !is_symlink && profile_.raw_leaves;
  const Digest32& digest = run_->digests[event.digest_index];
  const DoneNode done = done_node(digest, is_raw);
  walk_end_bytes_ = event.offset_bytes + event.header_bytes + event.block_bytes;
  const ByteRange section{event.offset_bytes, walk_end_bytes_};
  const ByteSpan block =
      ByteSpan(run_->bytes()).subspan(event.offset_bytes - run_->begin_bytes + event.header_bytes, event.block_bytes);
  spool_section(event, {done.cid, done.cid_bytes}, is_symlink ? block : ByteSpan(), !is_symlink);
  ++block_count_;
  PIECEWORK_TRY(keep_class(event, digest, is_raw, false));
  if (in_file_) {
    add_file_section(section);
  } else {
    file_sections_.assign(1, section);
    PIECEWORK_TRY(list_file(run_->name(event), kind, done, is_symlink ? event.target_bytes : event.file_bytes, false));
  }
  link_to_parent(event, run_->name(event), done);
  return {};
}

Status DagFiller::refer(const SectionEvent& event) {
  PIECEWORK_ASSIGN(const ClassEntry entry, classes_.get(event.class_index));
  DoneNode done = done_node(entry.digest, entry.is_raw != 0);
  done.has_parts_elsewhere = entry.has_parts_elsewhere != 0;
  const bool is_here = entry.end_bytes > 0;  // else a part of a file, in the piece of another batch
  if (in_file_ && is_here) add_file_section({entry.begin_bytes, entry.end_bytes});
  if (event.role == Role::kFile || event.role == Role::kSymlink) {
    file_sections_.assign(1, {entry.begin_bytes, entry.end_bytes});
    const bool is_symlink = event.role == Role::kSymlink;
    PIECEWORK_TRY(list_file(run_->name(event), is_symlink ? PackedKind::kSymlink : PackedKind::kFile, done,
                            is_symlink ? event.target_bytes : event.file_bytes, done.has_parts_elsewhere));
  } else if (in_file_) {
    // The parents' own ranges do not hold this part, which matters to whoever refers to them.
    for (size_t i = open_count_;
         i-- > 0 && open_[i].event.role != Role::kDirectory && open_[i].event.role != Role::kShard;) {
      open_[i].has_parts_elsewhere = true;
    }
  }
  link_to_parent(event, run_->name(event), done);
  return {};
}

Status DagFiller::list_shadow(const SectionEvent& event) {
  PIECEWORK_ASSIGN(const ClassEntry entry, classes_.get(event.class_index));
  const bool is_symlink = event.kind == Kind::kShadowSymlink;
  file_sections_.assign(1, {entry.begin_bytes, entry.end_bytes});
  return list_file(run_->name(event), is_symlink ? PackedKind::kSymlink : PackedKind::kFile,
                   done_node(entry.digest, entry.is_raw != 0), is_symlink ? event.target_bytes : event.file_bytes,
                   entry.has_parts_elsewhere != 0);
}

DagFiller::DoneNode DagFiller::done_node(const Digest32& digest, bool is_raw) const {
  DoneNode done;
  const int cid_version = is_raw ? 1 : profile_.cid_version;
  const uint8_t* end = encode_sha256_cid(done.cid, cid_version, is_raw ? kCodecRaw : kCodecDagPb, digest);
  done.cid_bytes = static_cast<size_t>(end - done.cid);
  return done;
}

Status DagFiller::keep_class(const SectionEvent& event, const Digest32& digest, bool is_raw, bool has_parts_elsewhere) {
  if (event.class_index == 0) return {};
  const ClassEntry entry{digest, event.offset_bytes, walk_end_bytes_, is_raw, has_parts_elsewhere};
  run_->class_puts.push_back({event.class_index, entry});
  return classes_.put(event.class_index, entry);
}

Status DagFiller::list_file(std::string_view name, PackedKind kind, const DoneNode& node, uint64_t size_bytes,
                            bool has_more) {
  const size_t path_bytes = path_.size();
  push_path(name);
  const bool listed_elsewhere = has_more && !in_file_;  // the file's own list holds the parts it refers to
  const Status status =
      files_.add({path_, kind, {node.cid, node.cid_bytes}, size_bytes, file_sections_, listed_elsewhere});
  path_.resize(path_bytes);
  return status;
}

void DagFiller::link_to_parent(const SectionEvent& event, std::string_view name, const DoneNode& node) {
  if (open_count_ == 0) {
    std::memcpy(root_cid_, node.cid, node.cid_bytes);
    root_cid_bytes_ = node.cid_bytes;
    uint8_t header[kCarHeaderBytesMax];
    const uint8_t* end = encode_car_v1_header(header, root_cid());
    return put(0, {header, static_cast<size_t>(end - header)});
  }
  OpenNode& parent = open_[open_count_ - 1];
  std::array<char, kHamtPrefixBytes> prefix{};
  size_t prefix_bytes = 0;
  if (event.bucket >= 0) {
    prefix = hamt_prefix(static_cast<uint8_t>(event.bucket));
    prefix_bytes = prefix.size();
    parent.buckets.set(static_cast<uint8_t>(event.bucket));
  }
  if (parent.child_count++ == 0) parent.first_child_bytes = event.file_bytes;
  parent.last_child_bytes = event.file_bytes;
  uint8_t link[kLinkBytesMax];
  const uint8_t* end =
      encode_pb_link(link, {node.cid, node.cid_bytes}, {prefix.data(), prefix_bytes}, name, event.tsize);
  append_to(parent, {link, static_cast<size_t>(end - link)});
}

// Writes the section's entry into the spool; returns the place of its CID. Without `cid`, CID and block are left to be
// filled.
uint64_t DagFiller::spool_section(const SectionEvent& event, ByteSpan cid, ByteSpan block, bool is_file_data) {
  std::vector<uint8_t>& spool = run_->spool;
  const size_t cid_bytes = cid.empty() ? profile_.node_cid_bytes() : cid.size();
  uint8_t head[1 + kVarintBytesMax];
  head[0] = static_cast<uint8_t>(is_file_data ? NodesEntryKind::kFileData : NodesEntryKind::kNode);
  const uint8_t* head_end = encode_varint(head + 1, cid_bytes + event.block_bytes);
  spool.insert(spool.end(), static_cast<const uint8_t*>(head), head_end);
  const uint64_t cid_place = run_->spool_begin_bytes + spool.size();
  if (cid.empty()) {
    spool.resize(spool.size() + cid_bytes + event.block_bytes);
  } else {
    spool.insert(spool.end(), cid.begin(), cid.end());
    spool.insert(spool.end(), block.begin(), block.end());
  }
  spool_bytes_ = run_->spool_begin_bytes + spool.size();
  return cid_place;
}

void DagFiller::put(uint64_t offset_bytes, ByteSpan bytes) {
  if (offset_bytes < run_->begin_bytes) return run_->late.add(offset_bytes, bytes);
  std::memcpy(run_->bytes().data() + (offset_bytes - run_->begin_bytes), bytes.data(), bytes.size());
}

void DagFiller::put_spool(uint64_t offset_bytes, ByteSpan bytes) {
  if (offset_bytes < run_->spool_begin_bytes) return run_->late_spool.add(offset_bytes, bytes);
  std::memcpy(run_->spool.data() + (offset_bytes - run_->spool_begin_bytes), bytes.data(), bytes.size());
}

// Places of this run that wait for later ones: the CAR's header, and of every open node the header and the missing
// links.
void DagFiller::collect_holes() {
  if (run_->begin_bytes == 0 && root_cid_bytes_ == 0) {
    const SectionEvent& first = run_->events.front();
    run_->holes.push_back({0, first.offset_bytes});
  }
  for (size_t i = 0; i < open_count_; ++i) {
    const OpenNode& node = open_[i];
    if (node.event.offset_bytes < run_->begin_bytes) continue;
    const uint64_t block = node.event.offset_bytes + node.event.header_bytes;
    run_->holes.push_back({node.event.offset_bytes, block});
    run_->holes.push_back({block + node.written_bytes, block + node.event.block_bytes});
  }
}

}  // namespace piecework::engine
