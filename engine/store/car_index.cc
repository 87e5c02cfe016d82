// Sorted runs, one k-way merge, and a table of the first keys of the pages; see car_index.h.
#include "engine/store/car_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "io/scratch_file.h"
#include "kernels/base/check.h"
#include "kernels/base/endian.h"
#include "kernels/base/units.h"
#include "kernels/sha256/sha256.h"

namespace piecework::engine {
namespace {

constexpr size_t kPageEntries = 4 * kKiB / sizeof(CarIndexEntry);

ByteSpan bytes_of(std::span<const CarIndexEntry> entries) {
  return {reinterpret_cast<const uint8_t*>(entries.data()), entries.size_bytes()};
}

// Reads exactly `target` from a scratch file that this process wrote.
Status read_entries(const io::File& file, std::span<CarIndexEntry> target, uint64_t offset_bytes) {
  const MutableByteSpan bytes(reinterpret_cast<uint8_t*>(target.data()), target.size_bytes());
  PIECEWORK_ASSIGN(const size_t read_bytes, file.read_full(bytes, offset_bytes));
  if (read_bytes == bytes.size()) return {};
  return fail(
      ErrorCode::kIo, ErrorSide::kDestination,
      fmt::format("'{}' ends at {} bytes, more were written to it", printable(file.path()), offset_bytes + read_bytes));
}

// One run on its way through the merge.
class RunCursor {
 public:
  RunCursor(const io::File& file, uint64_t begin_bytes, uint64_t entry_count, std::span<CarIndexEntry> buffer)
      : file_(file), offset_bytes_(begin_bytes), left_(entry_count), buffer_(buffer) {}

  // Goes to the next entry; false at the end.
  Result<bool> advance() {
    if (++position_ < filled_) return true;
    filled_ = static_cast<size_t>(std::min<uint64_t>(left_, buffer_.size()));
    position_ = 0;
    if (filled_ == 0) return false;
    PIECEWORK_TRY(read_entries(file_, buffer_.first(filled_), offset_bytes_));
    offset_bytes_ += filled_ * sizeof(CarIndexEntry);
    left_ -= filled_;
    return true;
  }

  const CarIndexEntry& entry() const { return buffer_[position_]; }

 private:
  const io::File& file_;
  uint64_t offset_bytes_;
  uint64_t left_;  // not yet in the buffer
  std::span<CarIndexEntry> buffer_;
  size_t filled_ = 0;
  size_t position_ = 0;
};

// Takes entries in order, keeps the first of each key and writes those to a file.
class DistinctWriter {
 public:
  DistinctWriter(const io::File& file, uint64_t stride, std::span<CarIndexEntry> buffer,
                 const CarIndexRepeat& on_repeat)
      : file_(file), stride_(stride), buffer_(buffer), on_repeat_(on_repeat) {}

  Status append(const CarIndexEntry& entry) {
    if (before_ && before_->key == entry.key) {
      ++repeat_count;
      PIECEWORK_TRY(on_repeat_(*before_, entry));
      before_ = entry;
      return {};
    }
    before_ = entry;
    if (entry_count++ % stride_ == 0) fences.push_back(entry.key);
    buffer_[filled_++] = entry;
    return filled_ == buffer_.size() ? flush() : Status();
  }

  Status flush() {
    PIECEWORK_TRY(file_.write_full(bytes_of(buffer_.first(filled_)), offset_bytes_));
    offset_bytes_ += filled_ * sizeof(CarIndexEntry);
    filled_ = 0;
    return {};
  }

  uint64_t entry_count = 0;
  uint64_t repeat_count = 0;
  std::vector<CarIndexKey> fences;

 private:
  const io::File& file_;
  uint64_t stride_;
  std::span<CarIndexEntry> buffer_;
  size_t filled_ = 0;
  uint64_t offset_bytes_ = 0;
  std::optional<CarIndexEntry> before_;
  const CarIndexRepeat& on_repeat_;
};

// Drops repeats of sorted entries in place; returns how many are left.
Result<size_t> drop_repeats(std::span<CarIndexEntry> entries, const CarIndexRepeat& on_repeat) {
  size_t kept = 0;
  CarIndexEntry before = {};
  for (size_t i = 0; i < entries.size(); ++i) {
    const CarIndexEntry entry = entries[i];
    if (i > 0 && before.key == entry.key) {
      PIECEWORK_TRY(on_repeat(before, entry));
    } else {
      entries[kept++] = entry;
    }
    before = entry;
  }
  return kept;
}

}  // namespace

CarIndexKey car_index_key(ByteSpan cid_bytes) {
  const Digest32 digest = kernels::sha256(cid_bytes);
  return {load_be64(digest.data()), load_be64(digest.data() + 8)};
}

bool is_before(const CarIndexEntry& a, const CarIndexEntry& b) {
  if (a.key != b.key) return a.key < b.key;
  if (a.file_index != b.file_index) return a.file_index < b.file_index;
  return a.offset_bytes < b.offset_bytes;
}

Result<std::optional<CarIndexEntry>> CarIndex::find(const CarIndexKey& key) {
  std::span<const CarIndexEntry> candidates(entries_.get(), is_in_memory() ? entry_count_ : 0);
  if (!is_in_memory()) {
    const auto after = std::upper_bound(fences_.begin(), fences_.end(), key);
    if (after == fences_.begin()) return std::optional<CarIndexEntry>();
    const uint64_t first = static_cast<uint64_t>(after - fences_.begin() - 1) * stride_;
    page_.resize(static_cast<size_t>(std::min(stride_, entry_count_ - first)));
    PIECEWORK_TRY(read_entries(file_, page_, first * sizeof(CarIndexEntry)));
    candidates = page_;
  }
  const auto found = std::lower_bound(candidates.begin(), candidates.end(), key,
                                      [](const CarIndexEntry& entry, const CarIndexKey& k) { return entry.key < k; });
  if (found == candidates.end() || found->key != key) return std::optional<CarIndexEntry>();
  return std::optional<CarIndexEntry>(*found);
}

CarIndexBuilder::CarIndexBuilder(std::string scratch_directory, uint64_t memory_bytes)
    : scratch_directory_(std::move(scratch_directory)),
      capacity_entries_(static_cast<size_t>(std::max(memory_bytes, kMemoryBytesMin) / sizeof(CarIndexEntry))),
      // Pages that no entry reaches are never touched, so that a small index takes little memory.
      entries_(std::make_unique_for_overwrite<CarIndexEntry[]>(capacity_entries_)) {}

Status CarIndexBuilder::append(const CarIndexEntry& entry) {
  if (entry_count_ == capacity_entries_) PIECEWORK_TRY(spill());
  entries_[entry_count_++] = entry;
  return {};
}

Status CarIndexBuilder::spill() {
  if (!runs_file_.is_open()) {
    PIECEWORK_ASSIGN(runs_file_, io::make_scratch_file(scratch_directory_));
  }
  const std::span<CarIndexEntry> run(entries_.get(), entry_count_);
  std::sort(run.begin(), run.end(), is_before);
  PIECEWORK_TRY(runs_file_.write_full(bytes_of(run), spilled_bytes_));
  runs_.push_back({spilled_bytes_, run.size()});
  spilled_bytes_ += run.size_bytes();
  entry_count_ = 0;
  return {};
}

// Merges all runs at once: their number times a page is far less than the memory that made them.
Status CarIndexBuilder::merge(const CarIndexRepeat& on_repeat, CarIndex& index) {
  const size_t buffer_count = runs_.size() + 1;
  const size_t buffer_entries = std::max(kPageEntries, capacity_entries_ / buffer_count);
  const auto buffers = std::make_unique_for_overwrite<CarIndexEntry[]>(buffer_count * buffer_entries);
  const std::span<CarIndexEntry> all_buffers(buffers.get(), buffer_count * buffer_entries);

  // A quarter of the memory holds the table.
  const uint64_t fence_count_max = capacity_entries_ * sizeof(CarIndexEntry) / 4 / sizeof(CarIndexKey);
  const uint64_t spilled_entries = spilled_bytes_ / sizeof(CarIndexEntry);
  index.stride_ = align_up(std::max<uint64_t>(kPageEntries, div_ceil(spilled_entries, fence_count_max)), kPageEntries);

  std::vector<RunCursor> cursors;
  std::vector<RunCursor*> heap;
  cursors.reserve(runs_.size());
  for (const Run& run : runs_) {
    const std::span<CarIndexEntry> buffer = all_buffers.subspan(cursors.size() * buffer_entries, buffer_entries);
    RunCursor& cursor = cursors.emplace_back(runs_file_, run.begin_bytes, run.entry_count, buffer);
    PIECEWORK_ASSIGN(const bool has_entry, cursor.advance());
    if (has_entry) heap.push_back(&cursor);
  }
  const auto is_after = [](const RunCursor* a, const RunCursor* b) { return is_before(b->entry(), a->entry()); };
  std::make_heap(heap.begin(), heap.end(), is_after);
  DistinctWriter writer(index.file_, index.stride_, all_buffers.last(buffer_entries), on_repeat);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), is_after);
    PIECEWORK_TRY(writer.append(heap.back()->entry()));
    PIECEWORK_ASSIGN(const bool has_entry, heap.back()->advance());
    if (has_entry) {
      std::push_heap(heap.begin(), heap.end(), is_after);
    } else {
      heap.pop_back();
    }
  }
  PIECEWORK_TRY(writer.flush());
  index.entry_count_ = writer.entry_count;
  index.repeat_count_ = writer.repeat_count;
  index.fences_ = std::move(writer.fences);
  return {};
}

Result<CarIndex> CarIndexBuilder::finish(const CarIndexRepeat& on_repeat) {
  CarIndex index;
  if (runs_.empty()) {
    const std::span<CarIndexEntry> all(entries_.get(), entry_count_);
    std::sort(all.begin(), all.end(), is_before);
    PIECEWORK_ASSIGN(const size_t kept, drop_repeats(all, on_repeat));
    index.entry_count_ = kept;
    index.repeat_count_ = entry_count_ - kept;
    index.entries_ = std::move(entries_);
    return index;
  }
  PIECEWORK_TRY(spill());
  entries_.reset();
  PIECEWORK_ASSIGN(index.file_, io::make_scratch_file(scratch_directory_));
  PIECEWORK_TRY(merge(on_repeat, index));
  return index;
}

}  // namespace piecework::engine
