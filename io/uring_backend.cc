// One ring thread, woken through an eventfd that it reads with the ring itself. Per turn of its loop:
//
//   take what was submitted -> prepare entries while fewer than `depth` are in flight -> submit, wait for a completion
//     -> reap all completions -> call the callbacks
//
// Callbacks never run while completions are reaped, so they may submit anew without upsetting the queue. The completion
// queue is twice the submission queue and at most `depth` + 1 entries are in flight: it cannot overflow.
#include "io/uring_backend.h"

#include <fmt/format.h>
#include <liburing.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>
#include <fstream>
#include <future>
#include <mutex>
#include <system_error>
#include <thread>

#include "io/file.h"
#include "io/operation_list.h"
#include "io/progress.h"
#include "kernels/base/check.h"

namespace piecework::io {
namespace {

constexpr uint32_t kDepthMax = 16384;  // the kernel allows 32,768 entries; one more is for the wake-up read
constexpr int kRequiredOpcodes[] = {IORING_OP_OPENAT2, IORING_OP_STATX, IORING_OP_READ,
                                    IORING_OP_WRITE,   IORING_OP_FSYNC, IORING_OP_CLOSE};

// ---- Making the ring ----

std::string io_uring_disabled_sysctl() {
  std::ifstream file("/proc/sys/kernel/io_uring_disabled");
  std::string value;
  return file >> value ? value : "absent";
}

// What the errno of io_uring_setup most likely means here, and what to do about it.
std::string cause_and_fix(int sys_errno) {
  switch (sys_errno) {
    case ENOSYS:
      return "the kernel is older than 5.6 or built without io_uring, or a seccomp profile hides it: allow "
             "io_uring_setup, io_uring_enter and io_uring_register in the sandbox's profile";
    case EPERM:
    case EACCES:
      return fmt::format(
          "io_uring is forbidden: by sysctl kernel.io_uring_disabled (now {}; set it to 0), or by the sandbox's "
          "seccomp profile (allow io_uring_setup, io_uring_enter and io_uring_register)",
          io_uring_disabled_sysctl());
    case ENOMEM:
      return "the ring's memory counts against RLIMIT_MEMLOCK on kernels before 5.12: raise `ulimit -l`, or choose a "
             "smaller depth";
    case EMFILE:
    case ENFILE:
      return "out of file descriptors: raise `ulimit -n`";
    default:
      return "the kernel refuses this ring: use one of version 5.6 or newer";
  }
}

tl::unexpected<Error> unavailable(int sys_errno) {
  Error error = errno_error(sys_errno, ErrorSide::kConfig, "io_uring_setup");
  error.message += " (" + cause_and_fix(sys_errno) + ")";
  const bool is_exhausted = sys_errno == EMFILE || sys_errno == ENFILE;
  error.code = is_exhausted ? ErrorCode::kResourceExhausted : ErrorCode::kUnsupported;
  return tl::unexpected<Error>(std::move(error));
}

Status check_opcodes(struct io_uring& ring) {
  struct io_uring_probe* probe = io_uring_get_probe_ring(&ring);
  if (probe == nullptr) return unavailable(EINVAL);  // the probe came with 5.6, as did OPENAT2
  int missing_opcode = -1;
  for (const int opcode : kRequiredOpcodes) {
    if (!io_uring_opcode_supported(probe, opcode)) missing_opcode = opcode;
  }
  io_uring_free_probe(probe);
  if (missing_opcode < 0) return {};
  return fail(ErrorCode::kUnsupported, ErrorSide::kConfig,
              fmt::format("this kernel's io_uring lacks operation {}: use version 5.6 or newer", missing_opcode));
}

// One thread submits and reaps, so the kernel may leave completion work to the moment it waits (6.1 and newer).
int init_ring(struct io_uring& ring, uint32_t entry_count) {
  const int flags[] = {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_COOP_TASKRUN, 0};
  int result = -EINVAL;
  for (size_t i = 0; i < std::size(flags) && result == -EINVAL; ++i) {
    result = io_uring_queue_init(entry_count, &ring, static_cast<unsigned>(flags[i]));
  }
  return result;
}

// ---- The backend ----

// Safe for concurrent use, see Backend. Members below "ring thread only" are touched by that thread alone.
class UringBackend final : public Backend {
 public:
  explicit UringBackend(const BackendOptions& options)
      : Backend(fmt::format("io_uring, depth {}", options.depth)), options_(options) {}
  ~UringBackend() override;

  Status start();
  BackendCounters counters() const override;

 private:
  void enqueue(Operation* first, Operation* last, size_t operation_count) override;

  // Ring thread only.
  Status set_up();
  void run();
  bool take_inbox();
  void fill_ring();
  void issue(Operation& operation);
  void prepare(struct io_uring_sqe& entry, Operation& operation);
  void arm_wake_up();
  void submit_and_wait_for_one();
  void reap();
  void judge(Operation& operation, int64_t kernel_result);
  void run_callbacks();

  const BackendOptions options_;
  UniqueFd wake_fd_;
  std::thread thread_;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  OperationList inbox_;
  bool wants_wake_up_ = false;  // the ring thread has seen all of inbox_ and is about to sleep
  bool is_stopping_ = false;
  BackendCounters counters_;

  // Ring thread only.
  struct io_uring ring_ = {};
  OperationList waiting_;    // taken, and not in flight for want of a place
  OperationList completed_;  // judged, callbacks not yet called
  uint64_t open_count_ = 0;  // taken, and not completed
  uint32_t in_flight_count_ = 0;
  uint64_t wake_up_value_ = 0;  // where the ring puts the eventfd's counter
  bool is_wake_up_armed_ = false;
  bool wake_up_is_needed_ = true;
  uint64_t resubmitted_count_ = 0;
  uint64_t completed_count_ = 0;
};

Status UringBackend::start() {
  wake_fd_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
  if (!wake_fd_.is_open()) return fail_errno(errno, ErrorSide::kInternal, "making the ring's eventfd");
  std::promise<Status> is_set_up;
  std::future<Status> outcome = is_set_up.get_future();
  try {
    // The thread that makes the ring is the one that may submit to it (IORING_SETUP_SINGLE_ISSUER).
    thread_ = std::thread([this, promise = std::move(is_set_up)]() mutable {
      Status status = set_up();
      const bool works = status.has_value();
      promise.set_value(std::move(status));
      if (works) run();
    });
  } catch (const std::system_error& error) {
    return fail_errno(error.code().value(), ErrorSide::kInternal, "starting the ring's thread");
  }
  return outcome.get();
}

UringBackend::~UringBackend() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  const uint64_t one = 1;
  // Fails only where the eventfd's counter is full, and then the thread is being woken anyway.
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_.get(), &one, sizeof one);
  thread_.join();
}

BackendCounters UringBackend::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void UringBackend::enqueue(Operation* first, Operation* last, size_t operation_count) {
  bool wakes = false;
  {
    const std::lock_guard lock(mutex_);
    inbox_.append(first, last);
    counters_.submitted_count += operation_count;
    wakes = std::exchange(wants_wake_up_, false);
  }
  // A callback runs on the ring thread, which looks into the inbox before it sleeps.
  if (!wakes || std::this_thread::get_id() == thread_.get_id()) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_.get(), &one, sizeof one);
}

// ---- Ring thread ----

Status UringBackend::set_up() {
  if (const int result = init_ring(ring_, options_.depth + 1); result < 0) return unavailable(-result);
  if (Status status = check_opcodes(ring_); !status) {
    io_uring_queue_exit(&ring_);
    return status;
  }
  // What cannot be done without blocking (opening cold files, buffered writes) goes to the kernel's workers. Their
  // default number follows the CPUs and starves a disk on small machines. No error where the kernel is older than 5.15.
  unsigned worker_counts[2] = {0, 0};
  if (io_uring_register_iowq_max_workers(&ring_, worker_counts) == 0 && worker_counts[0] < options_.thread_count) {
    worker_counts[0] = options_.thread_count;
    worker_counts[1] = 0;
    io_uring_register_iowq_max_workers(&ring_, worker_counts);
  }
  return {};
}

void UringBackend::run() {
  while (take_inbox()) {
    fill_ring();
    if (completed_.empty()) submit_and_wait_for_one();
    reap();
    run_callbacks();
  }
  io_uring_queue_exit(&ring_);
}

// Returns false when there is nothing left to do for ever.
bool UringBackend::take_inbox() {
  const std::lock_guard lock(mutex_);
  const uint64_t open_before = open_count_;
  open_count_ = counters_.submitted_count - completed_count_;
  waiting_.append(inbox_);
  counters_.completed_count = completed_count_;
  counters_.resubmitted_count = resubmitted_count_;
  if (open_count_ > options_.depth) {
    counters_.queue_full_count += open_count_ - std::max<uint64_t>(open_before, options_.depth);
  }
  wants_wake_up_ = true;
  // The destructor wakes this thread once more, and the ring may only go when no read into this object is under way.
  wake_up_is_needed_ = !is_stopping_;
  return !is_stopping_ || open_count_ > 0 || is_wake_up_armed_;
}

void UringBackend::fill_ring() {
  if (!is_wake_up_armed_ && wake_up_is_needed_) arm_wake_up();
  while (in_flight_count_ < options_.depth) {
    Operation* operation = waiting_.pop_front();
    if (operation == nullptr) return;
    issue(*operation);
  }
}

void UringBackend::issue(Operation& operation) {
  if (const auto* open = std::get_if<OpenRequest>(&operation.request);
      open != nullptr && std::strlen(open->path) >= PATH_MAX) {
    // No system call takes such a path at once; walking it in pieces here is slow, right and rare.
    judge(operation, open_beneath_fd(open->directory_fd, open->path, open->how));
    return;
  }
  struct io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  PIECEWORK_CHECK(entry != nullptr);  // the queue has depth + 1 entries
  prepare(*entry, operation);
  if (operation.state.may_block) entry->flags |= IOSQE_ASYNC;
  io_uring_sqe_set_data(entry, &operation);
  ++in_flight_count_;
}

void UringBackend::prepare(struct io_uring_sqe& entry, Operation& operation) {
  switch (operation.kind()) {
    case OperationKind::kOpen: {
      OpenRequest& open = std::get<OpenRequest>(operation.request);
      return io_uring_prep_openat2(&entry, open.directory_fd, open.path, &open.how);
    }
    case OperationKind::kStat: {
      const StatRequest& stat = std::get<StatRequest>(operation.request);
      return io_uring_prep_statx(&entry, stat.directory_fd, stat.path, stat.flags, stat.mask, stat.target);
    }
    case OperationKind::kRead: {
      const MutableByteSpan target = remaining_target(operation);
      return io_uring_prep_read(&entry, std::get<ReadRequest>(operation.request).fd, target.data(),
                                static_cast<unsigned>(target.size()), current_offset(operation));
    }
    case OperationKind::kWrite: {
      const ByteSpan source = remaining_source(operation);
      return io_uring_prep_write(&entry, std::get<WriteRequest>(operation.request).fd, source.data(),
                                 static_cast<unsigned>(source.size()), current_offset(operation));
    }
    case OperationKind::kSync: {
      const SyncRequest& sync = std::get<SyncRequest>(operation.request);
      return io_uring_prep_fsync(&entry, sync.fd, sync.data_only ? IORING_FSYNC_DATASYNC : 0);
    }
    case OperationKind::kClose:
      return io_uring_prep_close(&entry, std::get<CloseRequest>(operation.request).fd);
    case OperationKind::kNone:
      break;
  }
  PIECEWORK_CHECK(!"an operation without a request");
}

// Wake-ups carry no operation: their user data is null.
void UringBackend::arm_wake_up() {
  struct io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  PIECEWORK_CHECK(entry != nullptr);
  io_uring_prep_read(entry, wake_fd_.get(), &wake_up_value_, sizeof wake_up_value_, 0);
  io_uring_sqe_set_data(entry, nullptr);
  is_wake_up_armed_ = true;
}

void UringBackend::submit_and_wait_for_one() {
  const int result = io_uring_submit_and_wait(&ring_, 1);
  if (result >= 0 || result == -EINTR) return;
  // EAGAIN: the kernel is short of memory for requests; EBUSY: completions must be reaped first. The entries stay in
  // the queue and go with the next call. Anything else is a fault of this program.
  PIECEWORK_CHECK(result == -EAGAIN || result == -EBUSY || result == -ENOMEM);
  if (io_uring_cq_ready(&ring_) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

void UringBackend::reap() {
  unsigned head = 0;
  unsigned reaped_count = 0;
  struct io_uring_cqe* completion = nullptr;
  io_uring_for_each_cqe(&ring_, head, completion) {
    ++reaped_count;
    auto* operation = static_cast<Operation*>(io_uring_cqe_get_data(completion));
    if (operation == nullptr) {
      is_wake_up_armed_ = false;
      continue;
    }
    --in_flight_count_;
    judge(*operation, completion->res);
  }
  io_uring_cq_advance(&ring_, reaped_count);
}

void UringBackend::judge(Operation& operation, int64_t kernel_result) {
  if (apply_kernel_result(operation, kernel_result) == Progress::kDone) return completed_.push_back(operation);
  ++resubmitted_count_;
  waiting_.push_front(operation);  // what has begun is finished first
}

void UringBackend::run_callbacks() {
  while (Operation* operation = completed_.pop_front()) {
    --open_count_;
    ++completed_count_;
    operation->complete(*operation);  // from here on `operation` is the caller's
  }
}

}  // namespace

Result<std::unique_ptr<Backend>> make_uring_backend(const BackendOptions& options) {
  if (options.depth == 0 || options.depth > kDepthMax) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kConfig,
                fmt::format("a ring of depth {}: choose 1 to {}", options.depth, kDepthMax));
  }
  auto backend = std::make_unique<UringBackend>(options);
  PIECEWORK_TRY(backend->start());
  return backend;
}

}  // namespace piecework::io
