#include "engine/pack_attempt.h"

#include <fmt/format.h>

#include <climits>
#include <thread>

#include "engine/piece/run.h"
#include "kernels/base/kill_point.h"

namespace piecework::engine {
namespace {

using Clock = std::chrono::steady_clock;
using Mode = io::PublishedFile::Mode;

constexpr unsigned kAttemptsMax = 16;
constexpr std::chrono::milliseconds kPollInterval{50};
constexpr size_t kShortDigest = 16;  // hexadecimal digits

constexpr std::string_view kLog = "checkpoint";
constexpr std::string_view kCompactedLog = "checkpoint-new";
constexpr std::string_view kCar = "car";
constexpr std::string_view kSpool = "spool";
constexpr std::string_view kLines = "lines";
constexpr std::string_view kExternalList = "external";
constexpr std::string_view kMadeAtTheEnd[] = {"tree", "nodes", "files", kCompactedLog};
constexpr std::string_view kAllButLog[] = {kCar, kSpool, kLines, "tree", "nodes", "files", kCompactedLog};

std::string what_of(const std::string& attempt, std::string_view extension) {
  return fmt::format("{}.{}", attempt, extension);
}

// A name by plan and batch. Where those of another host are in the way it has this host's too; a number where other
// attempts of this host stand still.
std::string attempt_name(const AttemptScope& scope, bool with_host, unsigned ordinal) {
  std::string name = fmt::format("{}-{}", to_hex(scope.plan_digest).substr(0, kShortDigest), scope.batch);
  if (with_host) name += "-" + scope.here.short_name();
  if (ordinal > 0) name += fmt::format(".{}", ordinal);
  return name;
}

// Changes whenever the attempt of that name does something.
Result<uint64_t> progress_of(const AttemptScope& scope, const std::string& name) {
  uint64_t sum = 0;
  for (const std::string_view extension : {kLog, kCar, kSpool, kLines, std::string_view("nodes")}) {
    PIECEWORK_ASSIGN(const std::optional<io::FileStamp> stamp,
                     scope.output.try_stamp(io::temporary_name(what_of(name, extension))));
    if (stamp) sum += stamp->inode + stamp->size_bytes + static_cast<uint64_t>(stamp->mtime_ns);
  }
  return sum;
}

struct Waited {
  std::optional<io::PublishedFile> log;  // locked; none: is_done, or the holder stands still
  bool is_done = false;
};

Result<Waited> wait_for_lock(const AttemptScope& scope, const std::string& name,
                             const std::function<Result<bool>()>& is_done) {
  uint64_t progress = 0;
  Clock::time_point last_progress = Clock::now();
  for (bool is_first = true;; is_first = false) {
    PIECEWORK_ASSIGN(std::optional<io::PublishedFile> log,
                     io::PublishedFile::open(scope.output, what_of(name, kLog), Mode::kAdopt));
    if (log) log->keep_temporary();
    // Looked at with the lock in hand where it is to be had: what was done is done by now.
    PIECEWORK_ASSIGN(const bool done, is_done());
    if (done || log) return Waited{std::move(log), done};
    if (scope.stop != nullptr && scope.stop->load()) {
      return fail(ErrorCode::kCancelled, ErrorSide::kInternal,
                  fmt::format("stopped while another attempt was packing batch {}", scope.batch));
    }
    if (is_first && scope.notice)
      scope.notice(fmt::format("another attempt is packing batch {}: waiting", scope.batch));
    PIECEWORK_ASSIGN(const uint64_t now_at, progress_of(scope, name));
    if (now_at != progress || is_first) last_progress = Clock::now();
    progress = now_at;
    if (Clock::now() - last_progress > scope.patience) return Waited{};
    std::this_thread::sleep_for(kPollInterval);
  }
}

Result<std::optional<CheckpointSummary>> summary_of(const io::PublishedFile& log) {
  PIECEWORK_ASSIGN(const uint64_t log_bytes, log.size_bytes());
  return scan_checkpoint(checkpoint_source(log), log_bytes);
}

Status check_belongs(const AttemptScope& scope, const CheckpointSummary& summary, const std::string& path) {
  const CheckpointHeader& header = summary.header;
  if (header.plan_digest == scope.plan_digest && header.batch_digest == scope.batch_digest) return {};
  return fail(ErrorCode::kCorrupt, ErrorSide::kConfig,
              fmt::format("'{}' is of plan {}, batch digest {}; expected plan {}, batch digest {}: move it away",
                          printable(path), to_hex(header.plan_digest), to_hex(header.batch_digest),
                          to_hex(scope.plan_digest), to_hex(scope.batch_digest)));
}

}  // namespace

PackAttempt::PackAttempt(const AttemptScope& scope, std::string name, io::PublishedFile log)
    : scope_(&scope), name_(std::move(name)), log_(std::move(log)) {}

Result<std::optional<PackAttempt>> PackAttempt::claim(const AttemptScope& scope,
                                                      const std::function<Result<bool>()>& is_done) {
  bool with_host = false;
  for (unsigned ordinal = 0; ordinal < kAttemptsMax; ++ordinal) {
    const std::string name = attempt_name(scope, with_host, ordinal);
    PIECEWORK_ASSIGN(Waited waited, wait_for_lock(scope, name, is_done));
    if (waited.is_done) return std::nullopt;
    if (!waited.log) continue;
    PackAttempt attempt(scope, name, std::move(*waited.log));
    PIECEWORK_ASSIGN(attempt.summary_, summary_of(attempt.log_));
    if (!attempt.summary_) return std::optional(std::move(attempt));
    PIECEWORK_TRY(check_belongs(scope, *attempt.summary_, attempt.log_.path()));
    if (attempt.summary_->host.same_host(scope.here)) return std::optional(std::move(attempt));
    if (!with_host) {
      with_host = true;
      ordinal = UINT_MAX;  // from 0 again
    }
  }
  return fail(ErrorCode::kCancelled, ErrorSide::kInternal,
              fmt::format("{} attempts at batch {} stand still in '{}'; run again when they have ended", kAttemptsMax,
                          scope.batch, printable(scope.output.path())));
}

Status PackAttempt::remove_leftovers(const AttemptScope& scope) {
  for (unsigned i = 0; i < 2 * kAttemptsMax; ++i) {
    const std::string name = attempt_name(scope, i >= kAttemptsMax, i % kAttemptsMax);
    PIECEWORK_ASSIGN(const auto stamp, scope.output.try_stamp(io::temporary_name(what_of(name, kLog))));
    if (!stamp) continue;
    PIECEWORK_ASSIGN(std::optional<io::PublishedFile> log,
                     io::PublishedFile::open(scope.output, what_of(name, kLog), Mode::kAdopt));
    if (!log) continue;
    log->keep_temporary();
    const auto summary = summary_of(*log);
    const bool is_ours = summary && (!*summary || (*summary)->host.same_host(scope.here));
    if (is_ours) PIECEWORK_TRY(PackAttempt(scope, name, std::move(*log)).discard());
  }
  return {};
}

Result<io::PublishedFile> PackAttempt::open_temporary(const io::OutputDirectory& directory, std::string_view extension,
                                                      Mode mode) const {
  // Locked: a process that was killed closes one file after the other, and the kernel may still have operations of it
  // in flight. What they write must not come after what this attempt writes.
  const Clock::time_point begin = Clock::now();
  for (;;) {
    PIECEWORK_ASSIGN(std::optional<io::PublishedFile> file,
                     io::PublishedFile::open(directory, what_of(name_, extension), mode));
    if (file) return std::move(*file);
    const bool is_stopped = scope_->stop != nullptr && scope_->stop->load();
    if (is_stopped || Clock::now() - begin > scope_->patience) break;
    std::this_thread::sleep_for(kPollInterval);
  }
  return fail(ErrorCode::kCancelled, ErrorSide::kInternal,
              fmt::format("'{}' is still in use by an attempt that ends; run again",
                          printable(directory.path_of(io::temporary_name(what_of(name_, extension))))));
}

Result<io::PublishedFile> PackAttempt::open_external_list() const {
  return open_temporary(scope_->receipts, kExternalList, Mode::kFresh);
}

Result<io::PublishedFile> PackAttempt::open_sidecar(std::string_view extension) const {
  return open_temporary(scope_->output, extension, Mode::kFresh);
}

Status PackAttempt::remove_temporaries(std::span<const std::string_view> extensions) const {
  for (const std::string_view extension : extensions) {
    PIECEWORK_TRY(scope_->output.remove(io::temporary_name(what_of(name_, extension))));
  }
  PIECEWORK_TRY(scope_->receipts.remove(io::temporary_name(what_of(name_, kExternalList))));
  return scope_->receipts.remove(io::temporary_name(name_));
}

Status PackAttempt::open_files(bool store_car) {
  if (summary_) state_ = summary_->believed(scope_->here);
  if (state_) {
    PIECEWORK_TRY(remove_temporaries(kMadeAtTheEnd));
    PIECEWORK_ASSIGN(const bool adopted, adopt_files(store_car));
    if (adopted) return {};
  }
  return start_anew(store_car);
}

// False where the files are not those that the log describes.
Result<bool> PackAttempt::adopt_files(bool store_car) {
  const CheckpointHeader& header = summary_->header;
  if (header.has_car != store_car) return false;
  const auto fits = [](const io::FileStamp& stamp, uint64_t inode, uint64_t size_bytes_min) {
    return stamp.inode == inode && stamp.size_bytes >= size_bytes_min;
  };
  PIECEWORK_ASSIGN(spool_, open_temporary(scope_->output, kSpool, Mode::kAdopt));
  PIECEWORK_ASSIGN(lines_, open_temporary(scope_->output, kLines, Mode::kAdopt));
  PIECEWORK_ASSIGN(const io::FileStamp spool, spool_->stamp());
  PIECEWORK_ASSIGN(const io::FileStamp lines, lines_->stamp());
  bool all_fit = fits(spool, header.spool_inode, state_->spool_bytes) &&
                 fits(lines, header.file_table_inode, state_->file_table_bytes);
  if (store_car) {
    PIECEWORK_ASSIGN(car_, open_temporary(scope_->output, kCar, Mode::kAdopt));
    PIECEWORK_ASSIGN(const io::FileStamp car, car_->stamp());
    // The last page of what is committed is in the state, not in the file.
    const uint64_t size_bytes_min = state_->is_complete ? state_->car_bytes : align_down(state_->car_bytes, kPageBytes);
    car_is_gone_ = !fits(car, header.car_inode, size_bytes_min);
    if (car_is_gone_ && !state_->is_complete) all_fit = false;
    car_->keep_temporary();
  }
  spool_->keep_temporary();
  lines_->keep_temporary();
  return all_fit;
}

Status PackAttempt::start_anew(bool store_car) {
  state_.reset();
  summary_.reset();
  car_is_gone_ = false;
  car_.reset();
  spool_.reset();
  lines_.reset();
  // The log goes first: what it describes is not there any more.
  PIECEWORK_TRY(log_.resize(0));
  PIECEWORK_TRY(remove_temporaries(kAllButLog));
  PIECEWORK_ASSIGN(spool_, open_temporary(scope_->output, kSpool, Mode::kFresh));
  PIECEWORK_ASSIGN(lines_, open_temporary(scope_->output, kLines, Mode::kFresh));
  if (store_car) {
    PIECEWORK_ASSIGN(car_, open_temporary(scope_->output, kCar, Mode::kFresh));
    car_->keep_temporary();
  }
  spool_->keep_temporary();
  lines_->keep_temporary();
  return {};
}

Result<ResumePoint> PackAttempt::load(ClassStore& classes) const {
  PIECEWORK_CHECK(state_.has_value());
  return load_checkpoint(checkpoint_source(log_), *state_, classes);
}

Result<std::unique_ptr<CheckpointFile>> PackAttempt::open_log(io::Backend& backend, const CheckpointPolicy& policy) {
  std::vector<int> synced_fds{spool_->fd(), lines_->fd()};
  if (car_) synced_fds.push_back(car_->fd());
  auto log = std::make_unique<CheckpointFile>(scope_->output, log_, what_of(name_, kCompactedLog),
                                              std::move(synced_fds), backend, policy);
  if (state_) {
    PIECEWORK_TRY(log->go_on(*summary_, *state_, scope_->here));
    return log;
  }
  CheckpointHeader header{
      .plan_digest = scope_->plan_digest, .batch_digest = scope_->batch_digest, .has_car = car_.has_value()};
  PIECEWORK_ASSIGN(const io::FileStamp spool, spool_->stamp());
  PIECEWORK_ASSIGN(const io::FileStamp lines, lines_->stamp());
  header.spool_inode = spool.inode;
  header.file_table_inode = lines.inode;
  if (car_) {
    PIECEWORK_ASSIGN(const io::FileStamp car, car_->stamp());
    header.car_inode = car.inode;
  }
  PIECEWORK_TRY(log->start(header, scope_->here));
  return log;
}

Status PackAttempt::stop() {
  PIECEWORK_ASSIGN(const std::optional<CheckpointSummary> summary, summary_of(log_));
  return summary && summary->last ? Status() : discard();
}

Status PackAttempt::discard() {
  car_.reset();
  spool_.reset();
  lines_.reset();
  PIECEWORK_TRY(remove_temporaries(kAllButLog));
  kill_point("attempt.before_unlock");
  return log_.discard();
}

}  // namespace piecework::engine
