#include "engine/piece/piece_stages.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/piece/digest_run.h"
#include "engine/piece/run_hashes.h"

namespace piecework::engine {

PieceStages::PieceStages(BatchReader records, ClassStore classes, const PieceInputs& inputs)
    : inputs_(inputs),
      builder_(std::move(records), inputs.profile, inputs.batch, inputs.limits.events_per_run_max),
      reader_(inputs.sources, inputs.backend),
      filler_(inputs.profile, std::move(classes), inputs.files),
      assembler_(inputs.batch.totals.car_bytes) {}

bool PieceStages::source(Run& run) {
  if (failed_.load(std::memory_order_relaxed)) return false;
  run.clear();
  auto built = builder_.build(run);
  if (!built) {
    run.status = tl::unexpected<Error>(std::move(built).error());
    failed_ = true;
    return true;
  }
  if (*built && inputs_.stop != nullptr && inputs_.stop->load(std::memory_order_relaxed)) {
    run.status = fail(ErrorCode::kCancelled, ErrorSide::kInternal, "stopped; run the same command again to go on");
    failed_ = true;
  }
  return *built;
}

void PieceStages::digest(Run& run) const {
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
  if (!run.status) failed_ = true;
  // After a failure the walk has a gap: nothing behind it can be filled.
  if (failed_.load(std::memory_order_relaxed)) return;
  std::copy(page_start_.begin(), page_start_.end(), run.slot.bytes.begin());
  run.status = filler_.fill(run);
  patch_first_page(run);
  page_start_.assign(run.last_page().begin(), run.last_page().end());
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
  if (inputs_.done_bytes != nullptr) inputs_.done_bytes->store(run.begin_bytes + run.length_bytes);
  return {};
}

void PieceStages::commit(Run& run) {
  if (!status_) return;
  if (run.status && !failed_.load()) run.status = commit_run(run);
  if (run.status) return;
  status_ = run.status;
  failed_ = true;
}

Result<PieceOutcome> PieceStages::finish() {
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
  outcome.waiting_segments_max = assembler_.waiting_segments_max();
  outcome.waiting_bytes_max = assembler_.waiting_bytes_max();
  return outcome;
}

}  // namespace piecework::engine
