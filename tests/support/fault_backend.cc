#include "tests/support/fault_backend.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "kernels/base/check.h"

namespace piecework::testing {

using io::Operation;
using io::OperationKind;

struct FaultBackend::Shadow {
  Operation inner;
  Operation* outer = nullptr;
  FaultBackend* owner = nullptr;
  bool is_faulty = false;
  bool is_stalled = false;
  int sys_errno = 0;  // where is_faulty: the result
};

namespace {

int random_errno_of(OperationKind kind) {
  if (kind == OperationKind::kWrite) return ENOSPC;
  return kind == OperationKind::kOpen ? EMFILE : EIO;
}

// Bytes that a read or write asks for; 0 for other operations.
uint64_t wanted_bytes(const io::Request& request) {
  if (const auto* read = std::get_if<io::ReadRequest>(&request)) return read->target.size();
  if (const auto* write = std::get_if<io::WriteRequest>(&request)) return write->source.size();
  return 0;
}

void cut_to(io::Request& request, uint64_t done_bytes_max) {
  if (auto* read = std::get_if<io::ReadRequest>(&request)) {
    read->target = read->target.first(std::min<uint64_t>(read->target.size(), done_bytes_max));
  }
  if (auto* write = std::get_if<io::WriteRequest>(&request)) {
    write->source = write->source.first(std::min<uint64_t>(write->source.size(), done_bytes_max));
  }
}

bool moves_bytes(OperationKind kind) { return kind == OperationKind::kRead || kind == OperationKind::kWrite; }

}  // namespace

FaultBackend::FaultBackend(std::unique_ptr<io::Backend> inner, const FaultPlan& plan)
    : Backend("faults over " + inner->description()), inner_(std::move(inner)), plan_(plan), random_(plan.seed) {
  deliverer_ = std::thread([this] { deliver_loop(); });
}

FaultBackend::~FaultBackend() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_all();
  deliverer_.join();
}

uint64_t FaultBackend::seen_count(OperationKind kind) const {
  const std::lock_guard lock(mutex_);
  return seen_counts_[static_cast<size_t>(kind)];
}

uint64_t FaultBackend::injected_count() const {
  const std::lock_guard lock(mutex_);
  return injected_count_;
}

void FaultBackend::enqueue(Operation* first, Operation* /*last*/, size_t operation_count) {
  for (size_t i = 0; i < operation_count; ++i) {
    Operation* const next = first->state.next;
    auto* shadow = new Shadow;  // deleted by deliver()
    shadow->outer = first;
    shadow->owner = this;
    shadow->inner.request = first->request;
    shadow->inner.complete = on_inner_complete;
    shadow->inner.user = shadow;
    {
      const std::lock_guard lock(mutex_);
      ++open_count_;
      plan_fault(*shadow);
    }
    start(*shadow);
    first = next;
  }
}

void FaultBackend::plan_fault(Shadow& shadow) {
  const OperationKind kind = shadow.inner.kind();
  const uint64_t index_of_kind = seen_counts_[static_cast<size_t>(kind)]++;
  const uint64_t index_of_all = seen_counts_[static_cast<size_t>(OperationKind::kNone)]++;
  shadow.is_stalled = random_() % 1000 < plan_.stall_permille;
  plan_random_fault(shadow);
  if (plan_.at && (plan_.at->kind == kind || plan_.at->kind == OperationKind::kNone)) {
    const uint64_t index = plan_.at->kind == OperationKind::kNone ? index_of_all : index_of_kind;
    if (index == plan_.at->index || (plan_.at->repeats && index > plan_.at->index)) {
      shadow.is_faulty = true;
      shadow.sys_errno = plan_.at->sys_errno;
      cut_to(shadow.inner.request, plan_.at->done_bytes_max);
    }
  }
  injected_count_ += shadow.is_faulty ? 1 : 0;
}

void FaultBackend::plan_random_fault(Shadow& shadow) {
  // Both numbers are drawn for every operation, so that the faults do not depend on each other.
  const bool fails = random_() % 1000 < plan_.error_permille;
  const uint64_t part = random_();
  if (!fails) return;
  shadow.is_faulty = true;
  shadow.sys_errno = random_errno_of(shadow.inner.kind());
  cut_to(shadow.inner.request, part % (wanted_bytes(shadow.inner.request) + 1));
}

// Faulty transfers move what the fault leaves of them, faulty closes do close; other faulty operations never happen.
void FaultBackend::start(Shadow& shadow) {
  const OperationKind kind = shadow.inner.kind();
  if (!shadow.is_faulty || moves_bytes(kind) || kind == OperationKind::kClose) return inner_->submit(shadow.inner);
  if (kind == OperationKind::kSync && shadow.sys_errno != 0) {
    lose_unsynced(std::get<io::SyncRequest>(shadow.inner.request).fd);
  }
  settle(shadow);
}

void FaultBackend::on_inner_complete(Operation& operation) {
  Shadow& shadow = *static_cast<Shadow*>(operation.user);
  shadow.owner->settle(shadow);
}

// Sets the caller's result and hands the operation to the deliverer.
void FaultBackend::settle(Shadow& shadow) {
  Operation& outer = *shadow.outer;
  outer.result = shadow.inner.result;
  if (shadow.is_faulty) outer.result.sys_errno = shadow.sys_errno;
  const std::lock_guard lock(mutex_);
  if (const auto* write = std::get_if<io::WriteRequest>(&outer.request)) {
    unsynced_[write->fd].push_back({write->offset_bytes, outer.result.done_bytes});
  } else if (const auto* sync = std::get_if<io::SyncRequest>(&outer.request); sync != nullptr && outer.result.ok()) {
    unsynced_.erase(sync->fd);
  } else if (const auto* close = std::get_if<io::CloseRequest>(&outer.request)) {
    unsynced_.erase(close->fd);
  }
  const Clock::time_point due = Clock::now() + (shadow.is_stalled ? plan_.stall : std::chrono::milliseconds(0));
  collected_.emplace_back(due, &shadow);
  changed_.notify_all();
}

// What the kernel does when writeback fails: the pages are dropped, the next fsync reports success.
void FaultBackend::lose_unsynced(int fd) {
  const std::lock_guard lock(mutex_);
  for (const Range& range : unsynced_[fd]) {
    if (range.size_bytes == 0) continue;
    PIECEWORK_CHECK(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(range.offset_bytes),
                                static_cast<off_t>(range.size_bytes)) == 0);
  }
  unsynced_.erase(fd);
}

void FaultBackend::deliver_loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const std::vector<Shadow*> due = take_due(lock);
    if (due.empty() && is_stopping_ && open_count_ == 0) return;
    lock.unlock();
    for (Shadow* shadow : due) deliver(shadow);
    lock.lock();
    open_count_ -= due.size();  // only now: a callback may have submitted more
  }
}

// Waits until something may be delivered, or for the end; returns it in the order of delivery.
std::vector<FaultBackend::Shadow*> FaultBackend::take_due(std::unique_lock<std::mutex>& lock) {
  // A window that does not fill must not stop the caller for ever: after this it is delivered as it is.
  constexpr auto kPatience = std::chrono::milliseconds(1);
  changed_.wait(lock, [this] { return !collected_.empty() || (is_stopping_ && open_count_ == 0); });
  if (plan_.reorder_count > 0) {
    changed_.wait_for(lock, kPatience, [this] { return collected_.size() >= plan_.reorder_count; });
    std::shuffle(collected_.begin(), collected_.end(), random_);
  }
  const Clock::time_point now = Clock::now();
  std::vector<Shadow*> due;
  std::erase_if(collected_, [&](const auto& entry) {
    if (entry.first <= now) due.push_back(entry.second);
    return entry.first <= now;
  });
  if (due.empty() && !collected_.empty()) changed_.wait_for(lock, kPatience);  // all stalled
  return due;
}

void FaultBackend::deliver(Shadow* shadow) {
  Operation& outer = *shadow->outer;
  delete shadow;
  outer.complete(outer);
}

}  // namespace piecework::testing
