// What a memory budget and a number of threads mean for the pipeline: how many slots circulate.
#pragma once

#include <cstdint>

#include "engine/piece/piece_pipeline.h"
#include "kernels/base/error.h"
#include "kernels/base/units.h"

namespace piecework::engine {

// What the program needs beside the pipeline's slots: code, plan frames, kernels' stacks, waiting segments,
// compressors.
inline constexpr uint64_t kPackBaseBytes = 40 * kMiB;
// Sixteen blocks of 1 MiB, one for each lane of the widest digest kernel, with their headers and a parent node: eight
// MiB would leave half the lanes empty and cost a sixth of the speed.
inline constexpr uint64_t kPackSlotBytes = 16 * kMiB + 128 * kKiB;
static_assert(kPackSlotBytes / 2 % kPageBytes == 0, "halves are slots too");
// A run's events, names and spool beside its buffer.
inline constexpr uint64_t kPackSlotOverheadBytes = 3 * kMiB;
// One run is worked on while the next is read.
inline constexpr uint64_t kPackSlotsMin = 2;

// The smallest budget that a pack can keep to.
inline constexpr uint64_t kPackMemoryBytesMin =
    kPackBaseBytes + kPackSlotsMin * (kPackSlotBytes + kPackSlotOverheadBytes);

// Slots of the pipeline for a memory budget. Errors: kInvalidArgument where the budget is under kPackMemoryBytesMin.
Result<PipelineLimits> pipeline_limits(unsigned thread_count, uint64_t memory_bytes);

// The same memory in fewer and larger slots, at least two, where a store has blocks that are longer than a slot; in
// more and smaller ones where blocks are small, so that workers wait less for each other's runs.
PipelineLimits limits_for_batch(PipelineLimits limits, const LayoutTotals& batch);

}  // namespace piecework::engine
