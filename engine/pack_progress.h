// What a job has done so far, for whoever shows progress, and the moments that others may want to hear of.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "engine/pack_batch.h"
#include "engine/plan/make_plan.h"

namespace piecework::engine {

// Counters of a running job. Written by the job, safe to read from any thread.
class PackProgress {
 public:
  PlanProgress plan;
  // CAR bytes that this job packs: of all its batches once the plan is there, less those found to be done already.
  std::atomic<uint64_t> planned_bytes{0};
  // Of the batch at hand; see begin() and finish_batch().
  std::atomic<uint64_t> batch_bytes{0};

  // CAR bytes that this job has packed so far, the batch at hand included. Goes back only where begin() is called anew.
  uint64_t packed_bytes() const {
    // finish_batch() moves bytes from one counter to the other; read until no such move fell in between.
    for (;;) {
      const uint64_t version = version_.load();
      const uint64_t packed_bytes = finished_bytes_.load() + batch_bytes.load();
      if (version % 2 == 0 && version == version_.load()) return packed_bytes;
    }
  }

  // The job's side, on its thread.
  void begin(uint64_t bytes) {
    move(0, 0);
    planned_bytes = bytes;
  }
  void finish_batch(uint64_t payload_bytes) { move(finished_bytes_.load() + payload_bytes, 0); }

 private:
  void move(uint64_t finished, uint64_t at_hand) {
    ++version_;
    finished_bytes_ = finished;
    batch_bytes = at_hand;
    ++version_;
  }
  std::atomic<uint64_t> version_{0};  // odd while bytes are moved
  std::atomic<uint64_t> finished_bytes_{0};
};

// Is told what happens, in order, on the thread that runs the job; must not throw and should not wait.
class PackObserver {
 public:
  virtual ~PackObserver() = default;
  // The plan stands, and `batches` of it are to be packed. Comes again where an item that failed is left out and the
  // plan is made anew: what was begun is then started over.
  virtual void on_plan(const PlanSummary& plan, const std::vector<uint32_t>& batches) = 0;
  virtual void on_batch_started(const PlannedBatch& batch) = 0;
  // Also for a batch that was done before (`was_done`), mostly without a start.
  virtual void on_batch_done(const PackedBatch& batch) = 0;
};

}  // namespace piecework::engine
