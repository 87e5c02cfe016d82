// A backend that wraps another and makes things go wrong: by seed, or at the k-th operation of a kind.
//
// What it can do: errors (also after part of a transfer, as real media do), files that end early, syncs that fail and
// lose what was written since the last one, completions out of order, stalls. The same plan over the same submissions
// injects the same faults. For sweeps "fail the k-th operation" run once without faults, ask seen_count(), and repeat
// for every k below it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "io/backend.h"

namespace piecework::testing {

// One certain fault.
struct FaultAt {
  io::OperationKind kind = io::OperationKind::kNone;  // kNone: operations of any kind count
  uint64_t index = 0;                                 // counted from 0 in the order of submission
  int sys_errno = 0;            // 0: no error, the transfer only stops early (a file that was truncated)
  uint64_t done_bytes_max = 0;  // bytes really moved by a read or write before the fault
  bool repeats = false;         // every later operation of that kind too
};

struct FaultPlan {
  uint64_t seed = 1;
  std::optional<FaultAt> at = std::nullopt;
  uint32_t error_permille = 0;  // random errors: EIO, for writes ENOSPC, for opens EMFILE; after part of a transfer
  uint32_t stall_permille = 0;  // completions held back for `stall`
  std::chrono::milliseconds stall{20};
  uint32_t reorder_count = 0;  // completions that are collected and delivered in random order; 0: as they come
};

// Safe for concurrent use, see io::Backend. Only operations on regular files are understood.
class FaultBackend final : public io::Backend {
 public:
  FaultBackend(std::unique_ptr<io::Backend> inner, const FaultPlan& plan);
  ~FaultBackend() override;

  io::BackendCounters counters() const override { return inner_->counters(); }
  // Operations submitted so far; kNone: of all kinds.
  uint64_t seen_count(io::OperationKind kind) const;
  uint64_t injected_count() const;

 private:
  struct Shadow;  // the operation that the inner backend sees, in place of the caller's
  struct Range {
    uint64_t offset_bytes = 0;
    uint64_t size_bytes = 0;
  };
  using Clock = std::chrono::steady_clock;

  void enqueue(io::Operation* first, io::Operation* last, size_t operation_count) override;
  void plan_fault(Shadow& shadow);
  void plan_random_fault(Shadow& shadow);
  void start(Shadow& shadow);
  static void on_inner_complete(io::Operation& operation);
  void settle(Shadow& shadow);
  void lose_unsynced(int fd);
  void deliver_loop();
  std::vector<Shadow*> take_due(std::unique_lock<std::mutex>& lock);
  void deliver(Shadow* shadow);

  std::unique_ptr<io::Backend> inner_;
  const FaultPlan plan_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::mt19937_64 random_;
  uint64_t seen_counts_[io::kOperationKindCount] = {};  // [kNone]: all
  uint64_t injected_count_ = 0;
  uint64_t open_count_ = 0;
  bool is_stopping_ = false;
  std::map<int, std::vector<Range>> unsynced_;                    // written since the last good sync, per descriptor
  std::vector<std::pair<Clock::time_point, Shadow*>> collected_;  // judged, not delivered yet

  std::thread deliverer_;  // delivers collected_, out of order and late
};

}  // namespace piecework::testing
