// A fixed number of equally sized buffers: the bound on a pipeline's memory.
//
// All memory is reserved at creation; an empty pool is back-pressure, not an error. Slots are page-aligned, so that
// O_DIRECT and SIMD kernels can use them as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::io {

struct SlotPoolOptions {
  uint32_t slot_count = 0;
  uint64_t slot_size_bytes = 0;  // rounded up to whole pages
  bool huge_pages = true;        // ask for transparent huge pages; no error where there are none
};

struct Slot {
  uint32_t index = 0;     // below slot_count()
  MutableByteSpan bytes;  // slot_size_bytes() of them; contents are whatever the last user left
};

// Safe for concurrent use. A slot's bytes belong to its holder until release().
class SlotPool {
 public:
  // Errors: kInvalidArgument for zero slots or sizes that overflow, kResourceExhausted where mapping fails.
  static Result<std::unique_ptr<SlotPool>> create(const SlotPoolOptions& options);
  // REQUIRES: every slot has been released.
  ~SlotPool();
  SlotPool(const SlotPool&) = delete;
  SlotPool& operator=(const SlotPool&) = delete;

  // None where all are out. The slot released last comes first: its bytes may still be in cache.
  std::optional<Slot> try_acquire();
  // REQUIRES: `slot_index` is held.
  void release(uint32_t slot_index);

  uint32_t slot_count() const { return slot_count_; }
  uint64_t slot_size_bytes() const { return slot_size_bytes_; }
  uint32_t free_count() const;

 private:
  SlotPool(uint8_t* memory, uint32_t slot_count, uint64_t slot_size_bytes);

  uint8_t* memory_;
  uint32_t slot_count_;
  uint64_t slot_size_bytes_;
  mutable std::mutex mutex_;
  std::vector<uint32_t> free_;  // a stack; capacity for all slots from the start
  std::vector<bool> is_held_;
};

}  // namespace piecework::io
