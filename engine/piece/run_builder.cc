#include "engine/piece/run_builder.h"

#include <fmt/format.h>

#include "engine/codec/dag_cbor.h"
#include "engine/layout/node_lengths.h"

namespace piecework::engine {
namespace {

using Kind = SectionEvent::Kind;
using Role = SectionEvent::Role;

constexpr size_t kArenaBytesMax = 8 * kMiB;
// A file with more sections may be cut by the end of a run even where its bytes would fit.
constexpr uint64_t kSectionsInOneRunMax = 1024;
// CurrentFile::run_sequence of a file of which something was read before this builder.
constexpr uint64_t kEarlierRun = UINT64_MAX - 1;

// Whether the node's section stands here; else the digest is that of a class, or of another batch's part.
bool is_written_here(const NodeMark& mark) {
  return mark.kind == NodeMark::Kind::kWrite || mark.kind == NodeMark::Kind::kDefine;
}

}  // namespace

RunBuilder::RunBuilder(BatchReader records, const Profile& profile, const PlannedBatch& batch,
                       size_t events_per_run_max)
    : records_(std::move(records)),
      profile_(profile),
      batch_(batch),
      events_per_run_max_(events_per_run_max),
      offset_bytes_(0) {}

Status RunBuilder::fetch() {
  PIECEWORK_ASSIGN(record_, records_.next());
  if (record_ || batch_.totals.car_bytes == offset_bytes_) return {};
  return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
              fmt::format("plan: batch {} comes to {} bytes, expected {}; make the plan again", batch_.batch,
                          offset_bytes_, batch_.totals.car_bytes));
}

Result<bool> RunBuilder::build(Run& run) {
  if (done_) return false;
  run.sequence = sequence_;
  // The first run of a CAR also holds its header, a hole until the root is known.
  const bool is_first = offset_bytes_ == 0;
  if (is_first) PIECEWORK_TRY(start());
  run.begin_bytes = is_first ? 0 : offset_bytes_;
  while ((run.events.size() < events_per_run_max_ && run.arena.size() < kArenaBytesMax) ||
         (file_ && file_->shared == nullptr)) {
    if (!file_ && !record_) {
      done_ = true;
      break;
    }
    PIECEWORK_ASSIGN(const Step placed, step(run));
    if (placed == Step::kRunFull) break;
  }
  if (run.events.empty() && !done_) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
                fmt::format("plan: batch {} has a node that no buffer holds; make the plan again", batch_.batch));
  }
  run.length_bytes = static_cast<uint32_t>(offset_bytes_ - run.begin_bytes);
  run.is_last = done_;
  run.end_position.step_count = step_count_;
  if (file_ && file_->run_sequence != UINT64_MAX) {
    run.end_position.cut_file = file_->shared;
    run.end_position.cut_path = file_->path;
  }
  ++sequence_;
  return true;
}

Status RunBuilder::start() {
  PIECEWORK_TRY(fetch());
  if (!record_)
    return fail(ErrorCode::kCorrupt, ErrorSide::kConfig, "plan: a batch without records; make the plan again");
  offset_bytes_ = car_v1_header_bytes(root_cid_bytes());
  return {};
}

Result<RunBuilder::Step> RunBuilder::step(Run& run) {
  const Step placed = file_ ? place_file_node(run) : place_record(run);
  if (placed == Step::kRunFull) return placed;
  ++step_count_;
  if (!file_) PIECEWORK_TRY(fetch());
  return placed;
}

Status RunBuilder::skip_to(uint64_t step_count, uint64_t offset_bytes) {
  PIECEWORK_CHECK(offset_bytes_ == 0);
  skipping_ = true;
  Run nowhere;
  PIECEWORK_TRY(start());
  while (step_count_ < step_count && (file_ || record_)) {
    PIECEWORK_TRY(step(nowhere));
    if (nowhere.events.size() >= events_per_run_max_ || nowhere.arena.size() >= kArenaBytesMax) {
      nowhere.clear();
      ++sequence_;  // a file at hand is new to what follows
    }
  }
  skipping_ = false;
  sequence_ = 0;
  if (step_count_ != step_count || offset_bytes_ != offset_bytes) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
                fmt::format("checkpoint: step {} of batch {} is at byte {}, expected {}", step_count_, batch_.batch,
                            offset_bytes_, offset_bytes));
  }
  if (file_) {
    if (file_->shared == nullptr) file_->shared = std::make_shared<SharedFile>();
    if (file_->run_sequence != UINT64_MAX) file_->run_sequence = kEarlierRun;
  }
  return {};
}

// REQUIRES: the first record is at hand.
size_t RunBuilder::root_cid_bytes() const {
  if (record_->kind == RecordKind::kBlock) return record_->stored.cid.size();
  const bool raw_root = record_->kind == RecordKind::kFile && FileShape(record_->file_bytes, profile_).single_leaf();
  return raw_root ? profile_.leaf_cid_bytes() : profile_.node_cid_bytes();
}

bool RunBuilder::fits(const Run& run, uint64_t bytes) const {
  if (skipping_) return true;
  const uint64_t used = run.buffer_phase() + (offset_bytes_ - run.begin_bytes);
  return used + bytes <= run.slot.bytes.size();
}

SectionEvent RunBuilder::event_of(Run& run, Kind kind, Role role) {
  SectionEvent event;
  event.kind = kind;
  event.role = role;
  event.bucket = static_cast<int16_t>(record_->bucket);
  event.name_position = run.add_text(record_->name);
  event.name_bytes = static_cast<uint8_t>(record_->name.size());
  event.class_index = record_->class_index;
  event.tsize = record_->tsize;
  event.file_bytes = record_->file_bytes;
  return event;
}

void RunBuilder::place_section(Run& run, SectionEvent& event, uint32_t cid_bytes, uint64_t block_bytes) {
  event.offset_bytes = offset_bytes_;
  event.block_bytes = static_cast<uint32_t>(block_bytes);
  event.header_bytes = section_header_bytes(cid_bytes, block_bytes);
  if (event.kind != Kind::kEnter) event.digest_index = run.digest_count++;
  offset_bytes_ += event.header_bytes + block_bytes;
}

RunBuilder::Step RunBuilder::place_record(Run& run) {
  switch (record_->kind) {
    case RecordKind::kDirectory:
    case RecordKind::kShard:
      return place_directory(run);
    case RecordKind::kSymlink:
      return place_symlink(run);
    case RecordKind::kFile:
    case RecordKind::kFilePart:
      return place_file(run);
    case RecordKind::kBlock:
      return place_block(run);
  }
  return Step::kPlaced;
}

RunBuilder::Step RunBuilder::place_directory(Run& run) {
  const bool is_directory = record_->kind == RecordKind::kDirectory;
  const Role role = is_directory ? Role::kDirectory : Role::kShard;
  const uint32_t cid_bytes = profile_.node_cid_bytes();
  const bool is_written = !record_->is_reference && !record_->is_shadow;
  if (is_written && !fits(run, section_bytes(cid_bytes, record_->block_bytes))) return Step::kRunFull;
  if (record_->is_reference) {
    SectionEvent event = event_of(run, Kind::kRefer, role);
    run.events.push_back(event);
  }
  // Below a reference to a shard the entries belong to the directory around it: there is no path to enter.
  const bool enters = is_written || is_directory;
  SectionEvent event = event_of(run, is_written ? Kind::kEnter : Kind::kShadowEnter, role);
  event.is_hamt = record_->is_hamt || !is_directory;
  if (is_written) place_section(run, event, cid_bytes, record_->block_bytes);
  if (enters) run.events.push_back(event);
  open_node(run, record_->child_count, {.is_shadow = !is_written, .has_path = is_directory});
  return Step::kPlaced;
}

RunBuilder::Step RunBuilder::place_symlink(Run& run) {
  const uint64_t block_bytes = symlink_data_bytes(record_->target.size());
  const uint32_t cid_bytes = profile_.node_cid_bytes();
  const bool is_written = !record_->is_reference && !record_->is_shadow;
  if (is_written && !fits(run, section_bytes(cid_bytes, block_bytes))) return Step::kRunFull;
  const Kind kind = record_->is_shadow ? Kind::kShadowSymlink : record_->is_reference ? Kind::kRefer : Kind::kSymlink;
  SectionEvent event = event_of(run, kind, Role::kSymlink);
  run.add_text(record_->target);
  event.target_bytes = static_cast<uint32_t>(record_->target.size());
  event.tsize = block_bytes;
  if (is_written) place_section(run, event, cid_bytes, block_bytes);
  run.events.push_back(event);
  finish_node(run);
  return Step::kPlaced;
}

RunBuilder::Step RunBuilder::place_file(Run& run) {
  const bool is_part = record_->kind == RecordKind::kFilePart;
  CurrentFile file{.shape = FileShape(record_->file_bytes, profile_)};
  file.top = is_part ? record_->part : file.shape.root_place();
  file.path = path_;  // of a part that of its file
  if (!is_part && !file.path.empty() && !record_->name.empty()) file.path += '/';
  if (!is_part) file.path += record_->name;
  file.mtime_ns = record_->mtime_ns;
  file.file_bytes = record_->file_bytes;
  if (record_->is_reference || record_->is_shadow) {
    SectionEvent event = event_of(run, record_->is_shadow ? Kind::kShadowFile : Kind::kRefer, Role::kFile);
    event.tsize = file.shape.root().tsize;
    run.events.push_back(event);
    file_.emplace(std::move(file));
    add_file(run, nullptr);  // checked, not read
    file_.reset();
    finish_node(run);
    return Step::kPlaced;
  }
  const FileSubtree placed = file.shape.subtree(file.top, profile_);
  const FileNode& top = file.shape.node(file.top.level, file.top.index);
  const bool in_one_run = placed.section_count <= kSectionsInOneRunMax && fits(run, placed.sections_bytes);
  if (!in_one_run && !fits(run, section_bytes(profile_.node_cid_bytes(), top.block_bytes))) return Step::kRunFull;
  if (!in_one_run) file.shared = std::make_shared<SharedFile>();
  file.marks.assign(record_->marks.begin(), record_->marks.end());
  file.walk = FileWalk(file.shape, profile_.max_links, file.top);
  file.has_place = file.walk.next(file.place);
  file_.emplace(std::move(file));
  place_file_node(run);  // the root, while the record is at hand; it fits
  return Step::kPlaced;
}

RunBuilder::Step RunBuilder::place_file_node(Run& run) {
  CurrentFile& file = *file_;
  const bool is_root = file.place == file.top;
  const bool is_leaf = file.place.level == 0;
  const FileNode& node = file.shape.node(file.place.level, file.place.index);
  const uint32_t cid_bytes = is_leaf ? profile_.leaf_cid_bytes() : profile_.node_cid_bytes();
  const bool has_mark = !is_root && file.next_mark < file.marks.size();
  const NodeMark mark = has_mark ? file.marks[file.next_mark] : NodeMark{};
  const bool is_written = is_written_here(mark);
  if (is_written && !fits(run, section_bytes(cid_bytes, node.block_bytes))) return Step::kRunFull;

  SectionEvent event;
  if (is_root) event = event_of(run, Kind::kLeaf, Role::kFile);
  event.kind = !is_written ? Kind::kRefer : is_leaf ? Kind::kLeaf : Kind::kEnter;
  event.tsize = node.tsize;
  event.file_bytes = node.file_bytes;
  if (!is_root) event.class_index = mark.class_index;
  if (is_written) place_section(run, event, cid_bytes, node.block_bytes);
  run.events.push_back(event);
  if (is_written && is_leaf) add_leaf_extent(run, event, node.file_bytes);
  if (!is_written && !is_leaf) file.walk.skip_children();
  if (has_mark) ++file.next_mark;

  const FileNodePlace placed = file.place;
  file.has_place = file.walk.next(file.place);
  if (!file.has_place) {
    if (file.run_sequence == UINT64_MAX) add_file(run, nullptr);  // nothing of it was read: all chunks are references
    file_.reset();
  }
  if (is_written && !is_leaf) {
    // A node that is written has children below it, so the file is still at hand.
    const uint64_t below = file_->shape.node_count(placed.level - 1);
    open_node(run, std::min<uint64_t>(profile_.max_links, below - placed.index * profile_.max_links), {});
  } else {
    finish_node(run);
  }
  return Step::kPlaced;
}

void RunBuilder::add_leaf_extent(Run& run, const SectionEvent& event, uint64_t content_bytes) {
  CurrentFile& file = *file_;
  if (file.run_sequence != sequence_) {
    file.file_index = add_file(run, file.shared);
    file.run_sequence = sequence_;
  }
  if (content_bytes == 0) return;
  const size_t block_offset = run.buffer_phase() + (event.offset_bytes - run.begin_bytes) + event.header_bytes;
  // A dag-pb leaf has its Data field's header and the UnixFS prefix before the content.
  const size_t prefix_bytes = profile_.raw_leaves
                                  ? 0
                                  : pb_data_bytes(unixfs_leaf_bytes(content_bytes)) - unixfs_leaf_bytes(content_bytes) +
                                        unixfs_leaf_prefix_bytes(content_bytes);
  run.extents.push_back({file.place.index * profile_.chunk_bytes, static_cast<uint32_t>(content_bytes),
                         static_cast<uint32_t>(block_offset + prefix_bytes)});
  run.files[file.file_index].extent_end = static_cast<uint32_t>(run.extents.size());
}

uint32_t RunBuilder::add_file(Run& run, std::shared_ptr<SharedFile> shared) {
  FileToRead file;
  file.path_position = run.add_text(file_->path);
  run.arena.push_back('\0');
  file.path_bytes = static_cast<uint32_t>(file_->path.size());
  file.extent_begin = file.extent_end = static_cast<uint32_t>(run.extents.size());
  file.file_bytes = file_->file_bytes;
  file.mtime_ns = file_->mtime_ns;
  file.shared = std::move(shared);
  run.files.push_back(std::move(file));
  return static_cast<uint32_t>(run.files.size() - 1);
}

void RunBuilder::open_node(Run& run, uint64_t child_count, const Open& kind) {
  Open node = kind;
  node.children_left = child_count;
  node.path_bytes = static_cast<uint32_t>(path_.size());
  if (node.has_path) {
    if (!path_.empty() && !record_->name.empty()) path_ += '/';
    path_ += record_->name;
  }
  open_.push_back(node);
  if (child_count > 0) return;
  open_.back().children_left = 1;  // an empty directory is finished as if its last child were
  finish_node(run);
}

// A child of the innermost open node is done; closes every node that has no more to come.
void RunBuilder::finish_node(Run& run) {
  while (!open_.empty() && --open_.back().children_left == 0) {
    const Open node = open_.back();
    open_.pop_back();
    if (node.has_path) path_.resize(node.path_bytes);
    if (node.is_shadow && !node.has_path) continue;  // entries below a reference to a shard
    SectionEvent event;
    event.kind = node.is_block ? Kind::kBlockExit : node.is_shadow ? Kind::kShadowExit : Kind::kExit;
    run.events.push_back(event);
  }
}

}  // namespace piecework::engine
