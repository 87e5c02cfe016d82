#include "engine/serve/virtual_piece.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <optional>

#include "engine/codec/dag_cbor.h"
#include "engine/piece/digest_run.h"
#include "engine/piece/piece_size.h"
#include "engine/piece/run_builder.h"
#include "engine/piece/segment_tree.h"
#include "engine/piece/source_reader.h"
#include "engine/plan/check_sources.h"
#include "engine/plan/lay_out_anew.h"
#include "engine/record/batch_state.h"
#include "engine/record/nodes_reader.h"
#include "engine/record/tree_file.h"
#include "io/publish.h"
#include "kernels/base/text.h"
#include "kernels/base/varint.h"

namespace piecework::engine {
namespace {

// A reader's run: small, since every reader has one, and large enough for lanes of small blocks.
constexpr uint64_t kRunBytes = 4 * kMiB;
constexpr size_t kEventsPerRunMax = 32768;

uint64_t slot_bytes_for(const PlannedBatch& batch) {
  const uint64_t section_bytes = std::max(RunBuilder::kSectionBytesMax, batch.totals.stored_section_bytes_max);
  return std::max(kRunBytes, align_up(section_bytes, kPageBytes) + kPageBytes);
}

}  // namespace

// Makes runs of the CAR one after the other, each with all its bytes.
class PieceCursor::Producer {
 public:
  static Result<std::unique_ptr<Producer>> create(VirtualPiece& piece, const VirtualPiece::Position& start) {
    std::optional<BatchReader> records;
    {
      const std::lock_guard lock(piece.mutex_);
      PIECEWORK_ASSIGN(records, piece.plan_->read_batch(piece.receipt_.batch));
    }
    std::unique_ptr<Producer> producer(new Producer(piece, std::move(*records)));
    PIECEWORK_ASSIGN(producer->pool_,
                     io::SlotPool::create({.slot_count = 1, .slot_size_bytes = slot_bytes_for(piece.planned())}));
    producer->run_.slot = *producer->pool_->try_acquire();
    PIECEWORK_ASSIGN(producer->nodes_file_, io::open_named(piece.nodes_path_, ErrorSide::kSource));
    PIECEWORK_ASSIGN(NodesReader nodes, NodesReader::open(producer->nodes_file_));
    producer->nodes_.emplace(std::move(nodes));
    if (start.step_count > 0) {
      PIECEWORK_TRY(producer->builder_.skip_to(start.step_count, start.car_offset_bytes));
    }
    return producer;
  }

  ~Producer() {
    if (pool_ != nullptr) pool_->release(run_.slot.index);
  }

  // Copies the CAR's bytes from `offset_bytes` on to `target`, all of them. Calls go forward, without overlap.
  Status copy(MutableByteSpan target, uint64_t offset_bytes) {
    while (!target.empty()) {
      if (offset_bytes >= run_end()) {
        PIECEWORK_TRY(next_run(offset_bytes));
        continue;
      }
      const ByteSpan rest = run_.bytes().subspan(offset_bytes - run_.begin_bytes);
      const size_t count = std::min(rest.size(), target.size());
      std::copy_n(rest.begin(), count, target.begin());
      target = target.subspan(count);
      offset_bytes += count;
    }
    return {};
  }

 private:
  Producer(VirtualPiece& piece, BatchReader records)
      : piece_(piece),
        builder_(std::move(records), piece.profile(), piece.planned(), kEventsPerRunMax),
        reader_(*piece.sources_, piece.backend_, nullptr) {}

  uint64_t run_end() const { return run_.begin_bytes + run_.length_bytes; }

  // The next run; one that ends before `wanted_bytes` is passed without reading its sources.
  Status next_run(uint64_t wanted_bytes) {
    run_.clear();
    PIECEWORK_ASSIGN(const bool is_there, builder_.build(run_));
    if (!is_there) {
      return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
                  fmt::format("plan: batch {} ends at byte {} of its CAR, before byte {}", piece_.receipt_.batch,
                              run_end(), wanted_bytes));
    }
    piece_.note({run_end(), run_.end_position.step_count});
    if (run_end() <= wanted_bytes) return {};
    PIECEWORK_TRY(read_sources());
    PIECEWORK_TRY(digest());
    return place_nodes();
  }

  Status read_sources() {
    wait_for([this](std::function<void()> done) { reader_.read(run_, std::move(done)); });
    wait_for([this](std::function<void()> done) { reader_.read_rest(run_, std::move(done)); });
    return run_.status;
  }

  static void wait_for(const std::function<void(std::function<void()>)>& start) {
    // Shared with the callback, which may still be returning when the wait is over.
    const auto done = std::make_shared<std::promise<void>>();
    start([done] { done->set_value(); });
    done->get_future().wait();
  }

  // Digests give the leaves their CIDs; stored blocks are compared with theirs.
  Status digest() {
    size_t failed_event = 0;
    Status status = digest_run(run_, piece_.profile(), failed_event);
    if (status) return {};
    const SectionEvent& event = run_.events[failed_event];
    Error error = std::move(status).error();
    error.message =
        piece_.sources_->describe_block(event.class_index, as_bytes(run_.target(event))) + ": " + error.message;
    return tl::unexpected<Error>(std::move(error));
  }

  // What is no file data stands in the sidecar; the header follows from the root.
  Status place_nodes() {
    const MutableByteSpan bytes = run_.bytes();
    if (run_.begin_bytes == 0) {
      const ByteSpan root = piece_.root_cid_.bytes();
      if (car_v1_header_bytes(root.size()) > bytes.size()) return does_not_fit(0);
      encode_car_v1_header(bytes.data(), root);
    }
    return nodes_->visit_range(run_.begin_bytes, run_end(), [&](const NodesEntry& entry) -> Status {
      if (entry.kind != NodesEntryKind::kNode) return {};
      if (entry.car_offset_bytes < run_.begin_bytes || entry.car_end_bytes() > run_end()) {
        return does_not_fit(entry.car_offset_bytes);
      }
      uint8_t* at = bytes.data() + (entry.car_offset_bytes - run_.begin_bytes);
      at = encode_varint(at, entry.cid.bytes.size() + entry.block_bytes);
      at = std::copy(entry.cid.bytes.begin(), entry.cid.bytes.end(), at);
      std::copy(entry.block.begin(), entry.block.end(), at);
      return {};
    });
  }

  tl::unexpected<Error> does_not_fit(uint64_t offset_bytes) const {
    return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
                fmt::format("'{}': the section at byte {} of the CAR is not where the plan has one",
                            printable(piece_.nodes_path_), offset_bytes));
  }

  VirtualPiece& piece_;
  RunBuilder builder_;
  SourceReader reader_;
  std::unique_ptr<io::SlotPool> pool_;
  Run run_;
  io::File nodes_file_;
  std::optional<NodesReader> nodes_;
};

Result<std::unique_ptr<VirtualPiece>> VirtualPiece::open(const std::string& directory, const Receipt& receipt,
                                                         io::Backend& backend, const std::string& scratch_path) {
  std::unique_ptr<VirtualPiece> piece(new VirtualPiece(receipt, backend));
  PIECEWORK_ASSIGN(piece->root_cid_, parse_cid(receipt.root_cid));
  PIECEWORK_ASSIGN(piece->segment_roots_, read_segment_roots(directory, receipt));
  piece->nodes_path_ = directory + "/" + nodes_name(receipt.piece_cid_v1);
  PIECEWORK_ASSIGN(piece->plan_, PlanReader::open(directory + "/plans/" + receipt.plan_digest));
  const PlanSummary& plan = piece->plan_->summary();
  if (plan.digest_text() != receipt.plan_digest || receipt.batch >= plan.batches.size()) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
                fmt::format("plan '{}': it is not the one of the piece's receipt", receipt.plan_digest));
  }
  PIECEWORK_ASSIGN(SourceSet sources, open_planned_sources(plan, {}));
  piece->sources_ = std::make_unique<SourceSet>(std::move(sources));
  PIECEWORK_TRY(piece->leave_out_skipped(scratch_path));
  if (piece->planned().totals.car_bytes == receipt.payload_bytes) return piece;
  return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
              fmt::format("batch {} of plan '{}' has {} bytes, its receipt says {}", receipt.batch, receipt.plan_digest,
                          piece->planned().totals.car_bytes, receipt.payload_bytes));
}

VirtualPiece::~VirtualPiece() = default;

const PlannedBatch& VirtualPiece::planned() const { return plan_->summary().batches[receipt_.batch]; }

const Profile& VirtualPiece::profile() const { return plan_->summary().options.profile; }

// A batch that was packed without some of its files (--on-source-error skip) has another layout than the plan's.
Status VirtualPiece::leave_out_skipped(const std::string& scratch_path) {
  const std::vector<SkippedItem> left_out = left_out_of(receipt_, plan_->summary());
  if (left_out.empty()) return {};
  PIECEWORK_ASSIGN(const io::OutputDirectory scratch, io::OutputDirectory::open_or_create(scratch_path));
  PIECEWORK_ASSIGN(io::PublishedFile file, io::open_unshared(scratch, "anew"));
  const AnewSettings settings{.plan_path = file.path(), .scratch_path = scratch_path};
  PIECEWORK_ASSIGN(plan_, lay_out_anew(*plan_, receipt_.batch, left_out, *sources_, settings));
  return file.discard();  // the reader has it open
}

VirtualPiece::Position VirtualPiece::position_before(uint64_t car_offset_bytes) const {
  const std::lock_guard lock(mutex_);
  const auto next = std::upper_bound(positions_.begin(), positions_.end(), car_offset_bytes,
                                     [](uint64_t offset, const Position& p) { return offset < p.car_offset_bytes; });
  return next == positions_.begin() ? Position{} : *std::prev(next);
}

void VirtualPiece::note(const Position& position) {
  const std::lock_guard lock(mutex_);
  const auto next = std::lower_bound(positions_.begin(), positions_.end(), position.car_offset_bytes,
                                     [](const Position& p, uint64_t offset) { return p.car_offset_bytes < offset; });
  // Readers that began elsewhere cut runs elsewhere: one position for each stretch of a run's length is enough.
  const auto is_near = [](const Position& a, const Position& b) {
    return b.car_offset_bytes - a.car_offset_bytes < kRunBytes / 2;
  };
  if (next != positions_.end() && is_near(position, *next)) return;
  if (next != positions_.begin() && is_near(*std::prev(next), position)) return;
  positions_.insert(next, position);
}

Result<std::unique_ptr<PieceCursor>> VirtualPiece::read_from(uint64_t offset_bytes) {
  PIECEWORK_CHECK(offset_bytes <= payload_bytes());
  const Position start = position_before(align_down(offset_bytes, kSegmentBytes));
  PIECEWORK_ASSIGN(std::unique_ptr<PieceCursor::Producer> producer, PieceCursor::Producer::create(*this, start));
  return std::unique_ptr<PieceCursor>(new PieceCursor(*this, std::move(producer), offset_bytes));
}

PieceCursor::PieceCursor(VirtualPiece& piece, std::unique_ptr<Producer> producer, uint64_t offset_bytes)
    : piece_(piece), producer_(std::move(producer)), offset_bytes_(offset_bytes) {}

PieceCursor::~PieceCursor() = default;

Result<ByteSpan> PieceCursor::next() {
  if (offset_bytes_ == piece_.payload_bytes()) return ByteSpan();
  PIECEWORK_TRY(load_segment());
  const ByteSpan rest = ByteSpan(segment_).subspan(offset_bytes_ % kSegmentBytes);
  offset_bytes_ += rest.size();
  return rest;
}

// Makes the segment that holds the next byte, and checks it.
Status PieceCursor::load_segment() {
  const uint64_t payload_bytes = piece_.payload_bytes();
  const uint64_t begin = align_down(offset_bytes_, kSegmentBytes);
  segment_.resize(static_cast<size_t>(std::min(kSegmentBytes, payload_bytes - begin)));
  PIECEWORK_TRY(producer_->copy(segment_, begin));
  const Digest32 root = segment_.size() == kSegmentBytes ? segment_root(segment_.data())
                                                         : subtree_root(segment_, segment_tree_height(payload_bytes));
  if (root == piece_.segment_roots_[begin / kSegmentBytes]) return {};
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
              fmt::format("piece {}: bytes {} to {} come out different from what was packed: a source has changed and "
                          "kept its size and times",
                          piece_.receipt_.piece_cid_v1, begin, begin + segment_.size()));
}

}  // namespace piecework::engine
