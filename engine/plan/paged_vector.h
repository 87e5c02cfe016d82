// A vector that grows by pages: no reallocation, so no moment at which old and new storage exist together, and elements
// keep their addresses. For the millions of small records of an inventory.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "kernels/base/check.h"

namespace piecework::engine {

// Thread-compatible. Elements are value-initialised; no element is ever moved.
template <class T, size_t kPageItems = 16384>
class PagedVector {
 public:
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t index) {
    PIECEWORK_DCHECK(index < size_);
    return pages_[index / kPageItems][index % kPageItems];
  }
  const T& operator[](size_t index) const {
    PIECEWORK_DCHECK(index < size_);
    return pages_[index / kPageItems][index % kPageItems];
  }
  T& push_back(const T& value) {
    if (size_ == pages_.size() * kPageItems) pages_.push_back(std::make_unique<T[]>(kPageItems));
    T& slot = pages_[size_ / kPageItems][size_ % kPageItems];
    slot = value;
    ++size_;
    return slot;
  }
  void clear() {
    pages_.clear();
    size_ = 0;
  }

 private:
  std::vector<std::unique_ptr<T[]>> pages_;
  size_t size_ = 0;
};

// Texts of any length up to a page, stored one after the other; addressed by a 64-bit position. Thread-compatible.
class TextArena {
 public:
  static constexpr size_t kPageBytes = size_t{1} << 20;

  // Position of a copy of `text`, which never straddles a page. REQUIRES: text.size() <= kPageBytes.
  uint64_t append(const char* text, size_t text_bytes) {
    PIECEWORK_CHECK(text_bytes <= kPageBytes);
    if (pages_.empty() || used_ + text_bytes > kPageBytes) {
      pages_.push_back(std::make_unique<char[]>(kPageBytes));
      used_ = 0;
    }
    const uint64_t position = (pages_.size() - 1) * kPageBytes + used_;
    for (size_t i = 0; i < text_bytes; ++i) pages_.back()[used_ + i] = text[i];
    used_ += text_bytes;
    return position;
  }
  const char* at(uint64_t position) const { return &pages_[position / kPageBytes][position % kPageBytes]; }

 private:
  std::vector<std::unique_ptr<char[]>> pages_;
  size_t used_ = 0;
};

}  // namespace piecework::engine
