// One piece through the pipeline: a oneTBB flow graph of stages, wiring only.
//
//   slots -> source(serial) -> read(async) -> digest(parallel) -> fill(serial, in order) -> hash(parallel)
//         -> write(async) -> commit(serial, in order) -> slots
//
// A fixed number of runs circulates, so memory is bounded and no limiter is needed; runs are handed out in order and no
// stage waits for a run that another one holds, so it cannot stand still. A failed run goes through without being
// worked on.
#pragma once

#include <atomic>
#include <vector>

#include "engine/piece/class_store.h"
#include "engine/piece/dag_filler.h"
#include "engine/piece/piece_checkpoint.h"
#include "engine/plan/plan_file.h"
#include "engine/plan/source_set.h"
#include "engine/record/nodes_writer.h"
#include "io/backend.h"

namespace piecework::engine {

struct PipelineLimits {
  unsigned thread_count = 1;
  uint32_t slot_count = 4;
  uint64_t slot_bytes = 8 * kMiB;
  // More events than this end a run, so that a run of references or empty files stays small.
  uint32_t events_per_run_max = 32768;
};

struct PieceInputs {
  const Profile& profile;
  const PlannedBatch& batch;
  const SourceSet& sources;
  io::Backend& backend;
  PipelineLimits limits;
  int car_fd = -1;  // written at CAR offsets; -1: the CAR is not stored
  // The same file opened with O_DIRECT, or -1. Whole pages are written through it: nothing of the CAR then goes
  // through, or pushes anything out of, the page cache.
  int car_direct_fd = -1;
  NodesSpool& spool;
  PackedFileSink& files;
  CheckpointSink* checkpoints = nullptr;
  const ResumePoint* resume = nullptr;  // null: from the start
  const std::atomic<bool>* stop = nullptr;
  std::atomic<uint64_t>* done_bytes = nullptr;  // CAR bytes committed, for progress
};

struct PieceOutcome {
  Digest32 piece_root{};
  std::vector<uint8_t> root_cid;
  std::vector<Digest32> segment_roots;
  uint64_t block_count = 0;
  uint64_t spool_bytes = 0;
  uint64_t file_table_bytes = 0;  // of the file table's spool
  // What waiting for late digests has cost.
  uint64_t waiting_segments_max = 0;
  uint64_t waiting_bytes_max = 0;
};

// Produces the piece whose records `records` reads. `classes` has room for the batch's. Errors: of a source
// (Error::path names it), of the destination, of the plan, kCancelled; the earliest in the CAR is returned. On
// kCancelled everything that was committed is in a checkpoint. kCorrupt (config) also where `resume` does not fit the
// batch or its sources: nothing was written then, and without it the piece can be started over.
Result<PieceOutcome> run_piece(BatchReader records, ClassStore classes, const PieceInputs& inputs);

}  // namespace piecework::engine
