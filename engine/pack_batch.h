// One batch of a plan into the output directory: piece, sidecars, receipt.
#pragma once

#include <atomic>
#include <string>

#include "engine/piece/piece_pipeline.h"
#include "engine/plan/plan_file.h"
#include "engine/record/batch_state.h"
#include "io/publish.h"

namespace piecework::engine {

struct PackSettings {
  bool store_car = true;  // --no-car
  PipelineLimits limits;
  const std::atomic<bool>* stop = nullptr;
  std::atomic<uint64_t>* done_bytes = nullptr;  // CAR bytes of the batch at hand
};

struct PackedBatch {
  Receipt receipt;
  bool was_done = false;  // nothing had to be packed
  uint64_t waiting_segments_max = 0;
  uint64_t waiting_bytes_max = 0;
};

// Packs batch `batch` of `plan`, or finds that it is done already. Names appear in `output` only once their files are
// complete and durable; the receipt comes last. After a failure nothing is left but what was published before. Errors:
// of a source (Error::path names it); kNoSpace (destination) before the first byte where that can be known; kConflict
// where a published name holds something else; kCancelled where another attempt has the batch, or on a stop.
Result<PackedBatch> pack_batch(PlanReader& plan, uint32_t batch, const SourceSet& sources,
                               const io::OutputDirectory& output, io::Backend& backend, const PackSettings& settings);

}  // namespace piecework::engine
