#include "io/slot_pool.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <new>

#include "io/limits.h"
#include "kernels/base/check.h"
#include "kernels/base/units.h"

namespace piecework::io {

Result<std::unique_ptr<SlotPool>> SlotPool::create(const SlotPoolOptions& options) {
  const uint64_t page_bytes = page_size_bytes();
  if (options.slot_count == 0 || options.slot_size_bytes == 0 || options.slot_size_bytes > UINT64_MAX - page_bytes) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kInternal,
                fmt::format("a pool of {} slots of {} bytes", options.slot_count, options.slot_size_bytes));
  }
  const uint64_t slot_bytes = align_up(options.slot_size_bytes, page_bytes);
  uint64_t total_bytes = 0;
  if (__builtin_mul_overflow(slot_bytes, options.slot_count, &total_bytes)) {
    return fail(ErrorCode::kInvalidArgument, ErrorSide::kInternal,
                fmt::format("a pool of {} slots of {} bytes", options.slot_count, slot_bytes));
  }
  void* memory = ::mmap(nullptr, total_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return fail_errno(ENOMEM, ErrorSide::kInternal,
                      fmt::format("mapping {} slots of {} bytes", options.slot_count, slot_bytes));
  }
  if (options.huge_pages) ::madvise(memory, total_bytes, MADV_HUGEPAGE);  // a wish: failure costs speed alone
  return std::unique_ptr<SlotPool>(new SlotPool(static_cast<uint8_t*>(memory), options.slot_count, slot_bytes));
}

SlotPool::SlotPool(uint8_t* memory, uint32_t slot_count, uint64_t slot_size_bytes)
    : memory_(memory), slot_count_(slot_count), slot_size_bytes_(slot_size_bytes), is_held_(slot_count, false) {
  free_.reserve(slot_count);
  for (uint32_t index = slot_count; index > 0; --index) free_.push_back(index - 1);  // the first slot on top
}

SlotPool::~SlotPool() {
  PIECEWORK_CHECK(free_.size() == slot_count_);
  ::munmap(memory_, slot_size_bytes_ * slot_count_);
}

std::optional<Slot> SlotPool::try_acquire() {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) return std::nullopt;
  const uint32_t index = free_.back();
  free_.pop_back();
  is_held_[index] = true;
  return Slot{index, {memory_ + index * slot_size_bytes_, slot_size_bytes_}};
}

void SlotPool::release(uint32_t slot_index) {
  const std::lock_guard lock(mutex_);
  PIECEWORK_CHECK(slot_index < slot_count_ && is_held_[slot_index]);
  is_held_[slot_index] = false;
  free_.push_back(slot_index);
}

uint32_t SlotPool::free_count() const {
  const std::lock_guard lock(mutex_);
  return static_cast<uint32_t>(free_.size());
}

}  // namespace piecework::io
