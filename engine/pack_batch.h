// One batch of a plan into the output directory: piece, sidecars, receipt. Stopping is normal: see pack_attempt.h for
// what is kept and who goes on with it.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "engine/pack_attempt.h"
#include "engine/piece/piece_pipeline.h"
#include "engine/plan/plan_file.h"
#include "engine/record/batch_state.h"
#include "engine/record/checkpoint_file.h"
#include "io/publish.h"

namespace piecework::engine {

struct PackSettings {
  bool store_car = true;     // --no-car
  std::string scratch_path;  // a directory for what does not fit memory; empty: the output directory
  PipelineLimits limits;
  CheckpointPolicy checkpoints;
  std::chrono::milliseconds attempt_patience = kAttemptPatience;
  const std::atomic<bool>* stop = nullptr;
  std::function<void(std::string_view)> notice;  // one line for people; may be empty
  std::atomic<uint64_t>* done_bytes = nullptr;   // CAR bytes of the batch at hand
};

struct PackedBatch {
  Receipt receipt;
  bool was_done = false;       // nothing had to be packed
  uint64_t resumed_bytes = 0;  // of the CAR, that an earlier attempt had packed
  uint64_t waiting_segments_max = 0;
  uint64_t waiting_bytes_max = 0;
};

// Packs batch `batch` of `plan`, or finds that it is done already. Names appear in `output` only once their files are
// complete and durable; the receipt comes last. A stopped or killed attempt leaves temporaries that the next one goes
// on in; after any other failure nothing is left but what was published before. Errors: of a source (Error::path names
// it); kNoSpace (destination) before the first byte where that can be known; kConflict where a published name holds
// something else; kCorrupt and kUnsupported (config) for a checkpoint of another plan or version; kCancelled on a stop;
// kWaiting for the join of a file of which not all parts are packed yet.
Result<PackedBatch> pack_batch(PlanReader& plan, uint32_t batch, const SourceSet& sources,
                               const io::OutputDirectory& output, io::Backend& backend, const PackSettings& settings);

// Removes what attempts have left that died between a batch's receipt and their end. REQUIRES: the batch is done.
Status remove_leftovers(const PlanSummary& plan, uint32_t batch, const io::OutputDirectory& output);

}  // namespace piecework::engine
