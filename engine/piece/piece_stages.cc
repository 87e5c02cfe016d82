#include "engine/piece/piece_stages.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/piece/digest_run.h"
#include "engine/piece/run_hashes.h"

namespace piecework::engine {

namespace {

tl::unexpected<Error> stopped() { return fail(ErrorCode::kCancelled, ErrorSide::kInternal, std::string(kStoppedText)); }

}  // namespace

PieceStages::PieceStages(BatchReader records, ClassStore classes, const PieceInputs& inputs)
    : inputs_(inputs),
      builder_(std::move(records), inputs.profile, inputs.batch, inputs.limits.events_per_run_max),
      reader_(inputs.sources, inputs.backend, inputs.stop),
      filler_(inputs.profile, std::move(classes), inputs.files),
      assembler_(inputs.batch.totals.car_bytes) {}

Status PieceStages::restore(const ResumePoint& point) {
  StateReader reader(point.state);
  const uint64_t step_count = reader.integer<uint64_t>();
  PIECEWORK_TRY(check_cut_file(reader));
  reader.require(point.car_bytes <= inputs_.batch.totals.car_bytes);
  reader.require(filler_.restore(reader, point.car_bytes) && filler_.spool_bytes() == point.spool_bytes);
  const ByteSpan page_start = reader.bytes();
  page_start_.assign(page_start.begin(), page_start.end());
  reader.require(page_start_.size() == point.car_bytes % kPageBytes);
  reader.require(assembler_.restore(reader, point.roots));
  if (!reader.at_end()) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
                fmt::format("checkpoint: its state at byte {} makes no sense", point.car_bytes));
  }
  file_table_bytes_ = point.file_table_bytes;
  if (inputs_.done_bytes != nullptr) inputs_.done_bytes->store(point.car_bytes);
  return point.is_complete ? Status() : builder_.skip_to(step_count, point.car_bytes);
}

// A file of which a part is packed must still be the one that this part was read from: size and mtime are compared
// with the plan when it is opened again, inode and ctime with the checkpoint.
Status PieceStages::check_cut_file(StateReader& reader) const {
  if (!reader.flag()) return {};
  const std::string path(reader.text());
  const uint64_t inode = reader.integer<uint64_t>();
  const int64_t ctime_ns = reader.integer<int64_t>();
  if (!reader.ok() || path.find('\0') != std::string::npos) return {};  // the caller looks at the reader
  const SourcePlace place = inputs_.sources.place(path);
  const auto file = io::open_beneath(*place.directory, place.path);
  const auto stamp = file ? file->stamp() : tl::unexpected<Error>(file.error());
  if (stamp && stamp->inode == inode && stamp->ctime_ns == ctime_ns) return {};
  return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
              fmt::format("checkpoint: '{}' is not the file any more of which it holds a part",
                          inputs_.sources.describe(path)));
}

// What the source and fill stages are after `run`; commit adds what it knows itself.
void PieceStages::save_walk(Run& run) const {
  StateWriter writer(run.state);
  writer.integer(run.end_position.step_count);
  const SharedFile* cut = run.end_position.cut_file.get();
  const bool is_cut = cut != nullptr && cut->file.is_open();
  writer.flag(is_cut);
  if (is_cut) {
    writer.text(run.end_position.cut_path);
    writer.integer(cut->stamp.inode);
    writer.integer(cut->stamp.ctime_ns);
  }
  filler_.save(writer);
  writer.bytes(page_start_);
}

bool PieceStages::source(Run& run) {
  if (stopped_ || failed_.load(std::memory_order_relaxed)) return false;
  run.clear();
  auto built = builder_.build(run);
  if (!built) {
    run.status = tl::unexpected<Error>(std::move(built).error());
    failed_ = true;
    return true;
  }
  if (*built && is_stopping()) {
    run.status = stopped();
    stopped_ = true;
  }
  return *built;
}

void PieceStages::digest(Run& run) const {
  // Runs that have come further are finished: little is lost, and nobody waits for long.
  if (run.status && is_stopping()) run.status = stopped();
  if (!run.status) return;
  size_t failed_event = 0;
  run.status = digest_run(run, inputs_.profile, failed_event);
  if (run.status) return;
  const SectionEvent& event = run.events[failed_event];
  Error error = std::move(run.status).error();
  error.message = inputs_.sources.describe_block(event.class_index, as_bytes(run.target(event))) + ": " + error.message;
  run.status = tl::unexpected<Error>(std::move(error));
}

// Late bytes for the page that this run takes over: the page is written by this run or a later one, after they are
// stored.
void PieceStages::patch_first_page(Run& run) {
  size_t position = 0;
  for (const LateBytes::Extent& extent : run.late.extents) {
    const uint64_t begin = std::max(extent.offset_bytes, run.pages_begin_bytes());
    const uint64_t end = extent.offset_bytes + extent.length_bytes;
    if (begin < end) {
      const uint8_t* source = run.late.bytes.data() + position + (begin - extent.offset_bytes);
      std::copy(source, source + (end - begin), run.slot.bytes.data() + (begin - run.pages_begin_bytes()));
    }
    position += extent.length_bytes;
  }
}

void PieceStages::fill(Run& run) {
  // Behind a run that is not there the walk has a gap, and nothing can be filled.
  if (run.status && !walk_end_) run.status = walk_end_;
  if (!run.status) {
    if (run.status.error().code != ErrorCode::kCancelled) failed_ = true;
    if (walk_end_) walk_end_ = run.status;
    return;
  }
  if (failed_.load(std::memory_order_relaxed)) return;
  std::copy(page_start_.begin(), page_start_.end(), run.slot.bytes.begin());
  run.status = filler_.fill(run);
  patch_first_page(run);
  page_start_.assign(run.last_page().begin(), run.last_page().end());
  if (run.status && inputs_.checkpoints != nullptr) save_walk(run);
  if (!run.status) failed_ = true;
}

void PieceStages::hash(Run& run) const {
  if (!run.status || failed_.load(std::memory_order_relaxed)) return;
  hash_run(run.bytes(), run.begin_bytes, inputs_.batch.totals.car_bytes, run.holes, run.hashes);
}

io::WriteRequest PieceStages::write_request(const Run& run) const {
  const int fd = inputs_.car_direct_fd >= 0 ? inputs_.car_direct_fd : inputs_.car_fd;
  return {fd, run.pages(), run.pages_begin_bytes()};
}

Status PieceStages::store_late(const LateBytes& late) {
  size_t position = 0;
  for (const LateBytes::Extent& extent : late.extents) {
    const ByteSpan bytes = ByteSpan(late.bytes).subspan(position, extent.length_bytes);
    assembler_.fill(extent.offset_bytes, bytes);
    if (inputs_.car_fd >= 0) {
      PIECEWORK_TRY(io::pwrite_full(inputs_.car_fd, bytes, extent.offset_bytes, ErrorSide::kDestination, "the CAR"));
    }
    position += extent.length_bytes;
  }
  return {};
}

Status PieceStages::commit_run(const Run& run) {
  for (const Subtree& subtree : run.hashes.subtrees) assembler_.add(subtree);
  size_t position = 0;
  for (const ByteRange& range : run.hashes.fragments) {
    const size_t length_bytes = range.end - range.begin;
    assembler_.fill(range.begin, ByteSpan(run.hashes.fragment_bytes).subspan(position, length_bytes));
    position += length_bytes;
  }
  if (run.is_last && inputs_.car_fd >= 0) {
    PIECEWORK_TRY(io::pwrite_full(inputs_.car_fd, run.last_page(), run.pages_begin_bytes() + run.pages().size(),
                                  ErrorSide::kDestination, "the CAR"));
  }
  // Earlier runs are stored by now, so what comes late for them cannot be overwritten any more.
  PIECEWORK_TRY(store_late(run.late));
  PIECEWORK_TRY(inputs_.spool.write(run.spool, run.spool_begin_bytes));
  position = 0;
  for (const LateBytes::Extent& extent : run.late_spool.extents) {
    PIECEWORK_TRY(inputs_.spool.write(ByteSpan(run.late_spool.bytes).subspan(position, extent.length_bytes),
                                      extent.offset_bytes));
    position += extent.length_bytes;
  }
  file_table_bytes_ = run.file_table_bytes;
  if (inputs_.done_bytes != nullptr) inputs_.done_bytes->store(run.begin_bytes + run.length_bytes);
  return {};
}

Status PieceStages::note_committed(Run& run) {
  PIECEWORK_TRY(inputs_.checkpoints->add_classes(run.class_puts));
  std::swap(state_, run.state);
  checkpoint_.car_bytes = run.begin_bytes + run.length_bytes;
  checkpoint_.spool_bytes = run.spool_begin_bytes + run.spool.size();
  checkpoint_.file_table_bytes = run.file_table_bytes;
  checkpoint_.is_complete = run.is_last;
  is_checkpointed_ = false;
  if (!run.is_last && !inputs_.checkpoints->is_due(checkpoint_.car_bytes)) return {};
  return append_checkpoint();
}

Status PieceStages::append_checkpoint() {
  StateWriter writer(state_);
  assembler_.save(writer);
  const std::vector<SegmentRoot> new_roots = assembler_.take_new_roots();
  checkpoint_.state = state_;
  checkpoint_.new_roots = new_roots;
  is_checkpointed_ = true;
  return inputs_.checkpoints->append(checkpoint_);
}

void PieceStages::commit(Run& run) {
  if (!status_) return;
  // Looked at once: what is committed must be noted, or a checkpoint would be of two different runs.
  if (run.status && !failed_.load()) {
    run.status = commit_run(run);
    if (run.status && inputs_.checkpoints != nullptr) run.status = note_committed(run);
  }
  if (run.status) return;
  status_ = run.status;
  failed_ = true;
}

Result<PieceOutcome> PieceStages::finish() {
  if (!status_ && status_.error().code == ErrorCode::kCancelled && !is_checkpointed_) {
    PIECEWORK_TRY(append_checkpoint());
  }
  PIECEWORK_TRY(status_);
  if (!assembler_.complete() || filler_.root_cid().empty()) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
                fmt::format("plan: batch {} leaves holes in its piece; make the plan again", inputs_.batch.batch));
  }
  PieceOutcome outcome;
  outcome.piece_root = assembler_.piece_root();
  outcome.root_cid.assign(filler_.root_cid().begin(), filler_.root_cid().end());
  outcome.segment_roots = assembler_.segment_roots();
  outcome.block_count = filler_.block_count();
  outcome.spool_bytes = filler_.spool_bytes();
  outcome.file_table_bytes = file_table_bytes_;
  outcome.waiting_segments_max = assembler_.waiting_segments_max();
  outcome.waiting_bytes_max = assembler_.waiting_bytes_max();
  return outcome;
}

}  // namespace piecework::engine
