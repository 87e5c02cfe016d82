#include "engine/record/checkpoint_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include "kernels/base/endian.h"
#include "kernels/base/kill_point.h"

namespace piecework::engine {
namespace {

// Of a copy while the log is written anew.
constexpr size_t kCopyBytes = kMiB;
constexpr size_t kStateBytesMax = kCheckpointRecordBytesMax - kMiB;

}  // namespace

// One fdatasync for each file of the attempt.
struct CheckpointFile::Syncs {
  std::deque<io::Operation> operations;
  std::mutex mutex;
  std::condition_variable done;
  size_t left = 0;

  void complete() {
    const std::lock_guard lock(mutex);
    if (--left == 0) done.notify_all();
  }
  bool is_done() {
    const std::lock_guard lock(mutex);
    return left == 0;
  }
  void wait() {
    std::unique_lock lock(mutex);
    done.wait(lock, [this] { return left == 0; });
  }
};

CheckpointSource checkpoint_source(const io::PublishedFile& file) {
  return [&file](MutableByteSpan target, uint64_t offset_bytes) { return file.read(target, offset_bytes); };
}

CheckpointFile::CheckpointFile(const io::OutputDirectory& directory, io::PublishedFile& file,
                               std::string compacted_what, std::vector<int> synced_fds, io::Backend& backend,
                               const CheckpointPolicy& policy)
    : directory_(directory),
      file_(file),
      compacted_what_(std::move(compacted_what)),
      synced_fds_(std::move(synced_fds)),
      backend_(backend),
      policy_(policy) {}

CheckpointFile::~CheckpointFile() {
  if (syncs_) syncs_->wait();
}

Status CheckpointFile::start(const CheckpointHeader& header, const io::HostIdentity& here) {
  PIECEWORK_TRY(file_.resize(0));
  CheckpointEncoder encoder;
  encoder.add_header(header);
  encoder.add_boot(here);
  return write_out(encoder);
}

Status CheckpointFile::go_on(const CheckpointSummary& summary, const CheckpointState& state,
                             const io::HostIdentity& here) {
  PIECEWORK_TRY(file_.resize(state.end_bytes));
  log_bytes_ = state.end_bytes;
  chain_ = state.chain;
  next_state_ = state.number + 1;
  const auto place_of = [](const CheckpointState& found) {
    return Place{found.number, found.begin_bytes, found.end_bytes - found.begin_bytes};
  };
  last_ = place_of(state);
  CheckpointEncoder encoder(chain_);
  encoder.add_boot(here);
  if (summary.marked) {
    marked_ = place_of(*summary.marked);
    last_mark_car_bytes_ = summary.marked->car_bytes;
    encoder.add_mark(summary.marked->number);
  }
  PIECEWORK_TRY(write_out(encoder));
  // The mark stood behind what was cut off: a second power cut must not find the log without it.
  return summary.marked ? sync_log() : Status();
}

Status CheckpointFile::write_out(CheckpointEncoder& encoder) {
  kill_point("checkpoint.before_append");
  PIECEWORK_TRY(file_.write(encoder.bytes(), log_bytes_));
  kill_point("checkpoint.after_append");
  log_bytes_ += encoder.bytes().size();
  chain_ = encoder.chain();
  encoder.clear();
  return {};
}

Status CheckpointFile::add_classes(std::span<const ClassPut> puts) {
  if (puts.empty()) return {};
  CheckpointEncoder encoder(chain_);
  encoder.add_classes(puts);
  return write_out(encoder);
}

bool CheckpointFile::is_due(uint64_t /*car_bytes*/) { return Clock::now() - last_append_ >= policy_.interval; }

Status CheckpointFile::append(const PieceCheckpoint& checkpoint) {
  last_append_ = Clock::now();
  PIECEWORK_TRY(finish_mark());
  CheckpointEncoder encoder(chain_);
  if (!checkpoint.new_roots.empty()) encoder.add_roots(checkpoint.new_roots);
  // A hostile tree: what is open at once is more than anybody should store twice a second. The piece goes on without.
  if (checkpoint.state.size() > kStateBytesMax) return write_out(encoder);
  const uint64_t state_begin = log_bytes_ + encoder.bytes().size();
  encoder.add_state(next_state_, checkpoint);
  PIECEWORK_TRY(write_out(encoder));
  const bool was_live =
      last_ && (!marked_ || marked_->number != last_->number) && (!marking_ || marking_->number != last_->number);
  if (was_live) dead_bytes_ += last_->length_bytes;
  last_ = Place{next_state_++, state_begin, log_bytes_ - state_begin};
  PIECEWORK_TRY(start_mark(checkpoint));
  const uint64_t live_bytes = log_bytes_ - std::min(log_bytes_, dead_bytes_);
  return dead_bytes_ > std::max(policy_.dead_bytes_max, live_bytes) ? compact() : Status();
}

Status CheckpointFile::start_mark(const PieceCheckpoint& checkpoint) {
  const uint64_t car_bytes = checkpoint.car_bytes;
  // A large piece that is complete is worth a mark: a power cut while it is published costs nothing then.
  const bool is_last = checkpoint.is_complete && car_bytes >= policy_.mark_bytes;
  if (is_last) PIECEWORK_TRY(settle());
  const bool is_due = is_last || car_bytes - last_mark_car_bytes_ >= policy_.mark_bytes ||
                      Clock::now() - last_mark_ >= policy_.mark_interval;
  if (!is_due || syncs_) return {};
  last_mark_ = Clock::now();
  last_mark_car_bytes_ = car_bytes;
  marking_ = last_;
  syncs_ = std::make_unique<Syncs>();
  syncs_->left = synced_fds_.size();
  for (const int fd : synced_fds_) {
    io::Operation& operation = syncs_->operations.emplace_back();
    operation.request = io::SyncRequest{.fd = fd, .data_only = true};
    operation.user = syncs_.get();
    operation.complete = [](io::Operation& completed) { static_cast<Syncs*>(completed.user)->complete(); };
  }
  for (io::Operation& operation : syncs_->operations) backend_.submit(operation);
  return policy_.mark_bytes == 0 ? settle() : Status();
}

// Where the syncs are done: appends the mark. Syncs the log itself, which is small, here and now.
Status CheckpointFile::finish_mark() {
  if (!syncs_ || !syncs_->is_done()) return {};
  const std::unique_ptr<Syncs> syncs = std::move(syncs_);
  for (const io::Operation& operation : syncs->operations) {
    if (operation.result.ok()) continue;
    invalidate();
    return tl::unexpected<Error>(io::operation_error(operation, ErrorSide::kDestination, "a temporary file"));
  }
  CheckpointEncoder encoder(chain_);
  encoder.add_mark(marking_->number);
  PIECEWORK_TRY(write_out(encoder));
  if (marked_ && marked_->number != last_->number) dead_bytes_ += marked_->length_bytes;
  marked_ = std::exchange(marking_, std::nullopt);
  kill_point("checkpoint.before_sync");
  PIECEWORK_TRY(sync_log());
  kill_point("checkpoint.after_sync");
  if (!is_name_durable_) PIECEWORK_TRY(directory_.sync());
  is_name_durable_ = true;
  return {};
}

// Not PublishedFile::sync_data(): that would remove the name, and with it the lock that keeps other attempts away.
Status CheckpointFile::sync_log() {
  if (::fdatasync(file_.fd()) == 0) return {};
  const int sys_errno = errno;
  invalidate();
  return fail_errno(sys_errno, ErrorSide::kDestination, fmt::format("syncing '{}'", printable(file_.path())));
}

// After a failed sync nothing that the log says can be believed, not even by this boot: the kernel may have dropped the
// pages and would report success the next time. Should this fail too, the attempt is discarded right after.
void CheckpointFile::invalidate() { static_cast<void>(file_.resize(0)); }

Status CheckpointFile::settle() {
  if (syncs_) syncs_->wait();
  return finish_mark();
}

// Writes the log anew without the states that nobody needs. Whichever of the two logs a crash leaves is valid.
Status CheckpointFile::compact() {
  PIECEWORK_ASSIGN(std::optional<io::PublishedFile> target,
                   io::PublishedFile::open(directory_, compacted_what_, io::PublishedFile::Mode::kFresh));
  if (!target) {
    return fail(ErrorCode::kConflict, ErrorSide::kInternal,
                fmt::format("a temporary file of this attempt, '{}', is locked", compacted_what_));
  }
  CheckpointScanner scanner(checkpoint_source(file_), log_bytes_);
  CheckpointEncoder encoder;
  uint64_t written_bytes = 0;
  const auto flush = [&]() -> Status {
    PIECEWORK_TRY(target->write(encoder.bytes(), written_bytes));
    written_bytes += encoder.bytes().size();
    encoder.clear();
    return {};
  };
  std::vector<Place> kept;
  for (;;) {
    PIECEWORK_ASSIGN(const std::optional<CheckpointRecord> record, scanner.next());
    if (!record) break;
    if (record->kind == CheckpointRecordKind::kState) {
      const uint64_t number = record->payload.size() < sizeof(uint64_t) ? 0 : load_le<uint64_t>(record->payload.data());
      const auto is_this = [number](const std::optional<Place>& place) { return place && place->number == number; };
      if (!is_this(last_) && !is_this(marked_) && !is_this(marking_)) continue;
      kept.push_back({number, 0, 0});
    } else if (record->kind == CheckpointRecordKind::kMark) {
      continue;  // the only one that counts comes at the end
    }
    const uint64_t begin_bytes = written_bytes + encoder.bytes().size();
    encoder.add(record->kind, record->payload);
    if (record->kind == CheckpointRecordKind::kState) {
      kept.back() = {kept.back().number, begin_bytes, written_bytes + encoder.bytes().size() - begin_bytes};
    }
    if (encoder.bytes().size() >= kCopyBytes) PIECEWORK_TRY(flush());
  }
  if (marked_) encoder.add_mark(marked_->number);
  PIECEWORK_TRY(flush());
  PIECEWORK_TRY(target->sync_data());
  kill_point("checkpoint.before_replace");
  PIECEWORK_TRY(target->take_name_of(file_));
  kill_point("checkpoint.after_replace");
  target->keep_temporary();
  file_ = std::move(*target);
  PIECEWORK_TRY(directory_.sync());
  log_bytes_ = written_bytes;
  chain_ = encoder.chain();
  dead_bytes_ = 0;
  for (const Place& place : kept) {
    for (std::optional<Place>* held : {&last_, &marked_, &marking_}) {
      if (*held && (*held)->number == place.number) **held = place;
    }
  }
  return {};
}

}  // namespace piecework::engine
