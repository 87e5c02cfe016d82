#include "engine/memory/page_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>

#include "io/scratch_file.h"

namespace piecework::engine {
namespace {

constexpr size_t kSystemPageBytes = 4096;
// Pages that are given back stay mapped, up to so many: what needs one for a moment, time and again, gets the same.
constexpr size_t kSparePages = 8;

// Reserves disk space, so that no store into a mapping can fail.
Status reserve(const io::File& file, uint64_t offset_bytes, uint64_t size_bytes) {
  int code = 0;
  do {
    code = posix_fallocate(file.fd(), static_cast<off_t>(offset_bytes), static_cast<off_t>(size_bytes));
  } while (code == EINTR);
  if (code == 0) return {};
  return fail_errno(code, ErrorSide::kDestination,
                    fmt::format("reserving {} bytes in '{}' for what does not fit memory: free space there, name "
                                "another directory with --scratch, or give more --memory",
                                size_bytes, printable(file.path())));
}

}  // namespace

PageSource::PageSource(std::string scratch_directory, uint64_t memory_bytes)
    : scratch_directory_(std::move(scratch_directory)), memory_bytes_max_(memory_bytes) {}

PageSource::~PageSource() {
  for (const auto& [data, offset_bytes] : spare_) munmap(data, kPageBytes);
}

PageSource::Memory PageSource::take(size_t size_bytes, Access access) {
  const bool counts = size_bytes >= kPageBytes;
  if (counts && memory_bytes_ + size_bytes > memory_bytes_max_ && status_) {
    Result<Memory> memory = take_from_file(size_bytes, access);
    if (memory) return std::move(*memory);
    status_ = tl::unexpected<Error>(std::move(memory).error());
  }
  if (counts) memory_bytes_ += size_bytes;
  return Memory(new char[size_bytes], {counts ? this : nullptr, size_bytes, -1});
}

PageSource::Memory PageSource::take_from(PageSource* source, size_t size_bytes, Access access) {
  return source != nullptr ? source->take(size_bytes, access) : Memory(new char[size_bytes], {nullptr, size_bytes, -1});
}

Result<PageSource::Memory> PageSource::take_from_file(size_t size_bytes, Access access) {
  if (size_bytes == kPageBytes && access == Access::kScattered && !spare_.empty()) {
    const auto [data, offset_bytes] = spare_.back();
    spare_.pop_back();
    spilled_bytes_ += kPageBytes;
    return Memory(data, {this, kPageBytes, offset_bytes, access});
  }
  if (!file_.is_open()) {
    PIECEWORK_ASSIGN(file_, io::make_scratch_file(scratch_directory_));
  }
  const auto length_bytes = static_cast<size_t>(align_up(size_bytes, kPageBytes));
  PIECEWORK_TRY(reserve(file_, file_bytes_, length_bytes));
  const auto offset_bytes = static_cast<off_t>(file_bytes_);
  file_bytes_ += length_bytes;
  void* data = mmap(nullptr, length_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_.fd(), offset_bytes);
  if (data == MAP_FAILED) {
    return fail_errno(errno, ErrorSide::kDestination,
                      fmt::format("mapping {} bytes of '{}'", length_bytes, printable(file_.path())));
  }
  // Read-ahead of megabytes around each touch would push out what is needed.
  if (access == Access::kScattered) madvise(data, length_bytes, MADV_RANDOM);
  spilled_bytes_ += length_bytes;
  rest(length_bytes);
  mapped_.emplace(static_cast<char*>(data), length_bytes);
  return Memory(static_cast<char*>(data), {this, length_bytes, offset_bytes, access});
}

void PageSource::Release::operator()(char* data) const {
  if (source != nullptr) source->give_back(*this, data);
  if (file_offset_bytes < 0) delete[] data;
}

void PageSource::give_back(const Release& memory, char* data) {
  if (memory.file_offset_bytes < 0) {
    memory_bytes_ -= memory.size_bytes;
    return;
  }
  spilled_bytes_ -= memory.size_bytes;
  if (memory.size_bytes == kPageBytes && memory.access == Access::kScattered && spare_.size() < kSparePages) {
    spare_.emplace_back(data, memory.file_offset_bytes);
    return;
  }
  mapped_.erase(data);
  munmap(data, memory.size_bytes);
  // Where the file system cannot do this, the space goes with the file.
  fallocate(file_.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, memory.file_offset_bytes,
            static_cast<off_t>(memory.size_bytes));
}

void PageSource::rest(uint64_t touched_bytes) {
  touched_bytes_ += touched_bytes;
  if (touched_bytes_ < memory_bytes_max_ / 2) return;
  touched_bytes_ = 0;
  // Of a shared mapping this takes nothing but the entries of page tables.
  for (const auto& [data, size_bytes] : mapped_) madvise(data, size_bytes, MADV_DONTNEED);
}

void PageSource::will_need(const Memory& memory, size_t begin_bytes, size_t size_bytes) {
  if (memory.get_deleter().file_offset_bytes < 0) return;
  const size_t aligned_bytes = begin_bytes % kSystemPageBytes;
  madvise(memory.get() + begin_bytes - aligned_bytes, size_bytes + aligned_bytes, MADV_WILLNEED);
}

}  // namespace piecework::engine
