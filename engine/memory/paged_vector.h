// Arrays whose memory a PageSource gives, so that they may be larger than memory: one that grows by pages, texts, and
// one of fixed size. For the millions of small records of a plan.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "engine/memory/page_source.h"
#include "kernels/base/check.h"

namespace piecework::engine {

inline PageSource::Memory take_page(PageSource* source) {
  return PageSource::take_from(source, PageSource::kPageBytes, PageSource::Access::kScattered);
}

// A vector that grows by pages: no reallocation, so no moment at which old and new storage exist together, and elements
// keep their addresses. Thread-compatible.
template <class T>
class PagedVector {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  static constexpr size_t kPageItems = PageSource::kPageBytes / sizeof(T);

  // `source` (null: just memory) outlives the vector, here and below.
  explicit PagedVector(PageSource* source = nullptr) : source_(source) {}

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t index) {
    PIECEWORK_DCHECK(index < size_);
    return slot(index);
  }
  const T& operator[](size_t index) const {
    PIECEWORK_DCHECK(index < size_);
    return slot(index);
  }
  // REQUIRES: not empty, here and below.
  T& back() { return (*this)[size_ - 1]; }
  const T& back() const { return (*this)[size_ - 1]; }
  void pop_back() { shrink_to(size_ - 1); }

  T& push_back(const T& value) {
    if (size_ == pages_.size() * kPageItems) pages_.push_back(take_page(source_));
    return *std::construct_at(&slot(size_++), value);
  }
  // REQUIRES: size <= size().
  void shrink_to(size_t size) {
    PIECEWORK_DCHECK(size <= size_);
    size_ = size;
    pages_.resize((size + kPageItems - 1) / kPageItems);
  }
  void clear() { shrink_to(0); }

  // Said on a long walk over all elements in order, for each: what lies in the file is read ahead, and left behind.
  void walk_at(size_t index) const {
    if (index % kPageItems != 0 || source_ == nullptr) return;
    source_->rest(PageSource::kPageBytes);
    will_need(index, std::min(size_, index + kPageItems));
  }
  // The elements [begin, end) are looked at next. REQUIRES: begin <= end <= size().
  void will_need(size_t begin, size_t end) const {
    for (size_t at = begin; at < end;) {
      const size_t page_end = std::min(end, (at / kPageItems + 1) * kPageItems);
      PageSource::will_need(pages_[at / kPageItems], at % kPageItems * sizeof(T), (page_end - at) * sizeof(T));
      at = page_end;
    }
  }

 private:
  T& slot(size_t index) const { return reinterpret_cast<T*>(pages_[index / kPageItems].get())[index % kPageItems]; }

  PageSource* source_;
  std::vector<PageSource::Memory> pages_;
  size_t size_ = 0;
};

// Texts of any length up to a page, stored one after the other; addressed by a 64-bit position. Thread-compatible.
class TextArena {
 public:
  static constexpr size_t kPageBytes = PageSource::kPageBytes;

  explicit TextArena(PageSource* source = nullptr) : source_(source) {}

  // Position of a copy of `text`, which never straddles a page. REQUIRES: text_bytes <= kPageBytes.
  uint64_t append(const char* text, size_t text_bytes) {
    PIECEWORK_CHECK(text_bytes <= kPageBytes);
    if (pages_.empty() || used_ + text_bytes > kPageBytes) {
      pages_.push_back(take_page(source_));
      used_ = 0;
    }
    const uint64_t position = (pages_.size() - 1) * kPageBytes + used_;
    std::copy_n(text, text_bytes, pages_.back().get() + used_);
    used_ += text_bytes;
    return position;
  }
  // The texts at positions [begin, end) are looked at next. REQUIRES: such texts are there.
  void will_need(uint64_t begin, uint64_t end) const {
    while (begin < end) {
      const uint64_t page_end = std::min(end, (begin / kPageBytes + 1) * kPageBytes);
      PageSource::will_need(pages_[begin / kPageBytes], begin % kPageBytes, page_end - begin);
      begin = page_end;
    }
  }
  const char* at(uint64_t position) const { return pages_[position / kPageBytes].get() + position % kPageBytes; }

 private:
  PageSource* source_;
  std::vector<PageSource::Memory> pages_;
  size_t used_ = 0;
};

// `size` value-initialised elements in one piece. Thread-compatible.
template <class T>
class SpillArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  SpillArray() = default;
  SpillArray(PageSource* source, size_t size, PageSource::Access access = PageSource::Access::kInOrder)
      : memory_(PageSource::take_from(source, size * sizeof(T), access)),
        items_(reinterpret_cast<T*>(memory_.get()), size) {
    std::uninitialized_value_construct(items_.begin(), items_.end());
  }
  SpillArray(SpillArray&& other) noexcept { swap(other); }
  SpillArray& operator=(SpillArray&& other) noexcept {
    SpillArray taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~SpillArray() = default;

  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  T& operator[](size_t index) const { return items_[index]; }
  T* begin() const { return items_.data(); }
  T* end() const { return items_.data() + items_.size(); }
  // Forgets the elements after the first `size`; their memory stays. REQUIRES: size <= size().
  void shrink_to(size_t size) { items_ = items_.first(size); }

 private:
  void swap(SpillArray& other) {
    std::swap(memory_, other.memory_);
    std::swap(items_, other.items_);
  }

  PageSource::Memory memory_;
  std::span<T> items_;
};

}  // namespace piecework::engine
