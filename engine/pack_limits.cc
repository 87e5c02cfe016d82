#include "engine/pack_limits.h"

#include <fmt/format.h>

#include <algorithm>

namespace piecework::engine {

namespace {

// So many of these are in half a slot that every lane is busy nearly to the end.
constexpr uint64_t kSmallBlockBytes = 128 * kKiB;

}  // namespace

Result<PipelineLimits> pipeline_limits(unsigned thread_count, uint64_t memory_bytes) {
  if (memory_bytes < kPackMemoryBytesMin) {
    return fail(
        ErrorCode::kInvalidArgument, ErrorSide::kConfig,
        fmt::format("--memory {} bytes is too little: at least {} are needed", memory_bytes, kPackMemoryBytesMin));
  }
  PipelineLimits limits;
  limits.thread_count = thread_count;
  limits.slot_bytes = kPackSlotBytes;
  const uint64_t affordable = (memory_bytes - kPackBaseBytes) / (kPackSlotBytes + kPackSlotOverheadBytes);
  // Each worker has one run at hand, one is read, one written, one waits; more would only hold memory.
  limits.slot_count = static_cast<uint32_t>(std::min<uint64_t>(affordable, thread_count + 3));
  return limits;
}

PipelineLimits limits_for_batch(PipelineLimits limits, const LayoutTotals& batch) {
  const uint64_t needed_bytes = align_up(batch.stored_section_bytes_max, kPageBytes) + kPageBytes;
  const bool has_small_blocks = batch.car_bytes / std::max<uint64_t>(batch.block_count, 1) <= kSmallBlockBytes;
  if (has_small_blocks && needed_bytes <= limits.slot_bytes / 2) {
    limits.slot_bytes /= 2;
    limits.slot_count = 2 * limits.slot_count - 1;
  }
  if (needed_bytes <= limits.slot_bytes) return limits;
  const uint64_t all_bytes = limits.slot_bytes * limits.slot_count;
  limits.slot_bytes = needed_bytes;
  limits.slot_count = static_cast<uint32_t>(std::max<uint64_t>(2, all_bytes / needed_bytes));
  return limits;
}

}  // namespace piecework::engine
