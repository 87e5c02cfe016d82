#include "io/dir_reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>
#include <system_error>
#include <thread>

#include "io/errno_map.h"
#include "kernels/base/check.h"
#include "kernels/base/endian.h"
#include "kernels/base/units.h"

namespace piecework::io {
namespace {

constexpr size_t kBufferBytes = 32 * kKiB;  // most directories are small
// No file system stores longer symlinks; a made-up one (FUSE) must not make the list grow without bound.
constexpr size_t kLinkTargetBytesMax = kMiB;

EntryKind entry_kind_of_dirent(uint8_t type) {
  switch (type) {
    case DT_REG:
      return EntryKind::kRegular;
    case DT_DIR:
      return EntryKind::kDirectory;
    case DT_LNK:
      return EntryKind::kSymlink;
    case DT_FIFO:
      return EntryKind::kFifo;
    case DT_SOCK:
      return EntryKind::kSocket;
    case DT_CHR:
      return EntryKind::kCharDevice;
    case DT_BLK:
      return EntryKind::kBlockDevice;
    default:
      return EntryKind::kUnknown;  // file systems that do not keep types in their directories
  }
}

// A number to sort by, and the record it stands for: records are large, these are moved instead.
struct SortKey {
  uint64_t key = 0;
  uint32_t record_index = 0;
};

// The first eight bytes of `name` as a number in the order of their bytes; shorter names are filled with NUL, which no
// name contains.
uint64_t key_of(std::string_view name) {
  std::array<uint8_t, 8> first{};
  std::memcpy(first.data(), name.data(), std::min(name.size(), first.size()));
  return load_be64(first.data());
}

// Slices that threads take one after the other. The first is done alone: the time it takes tells a cold disk from a
// warm cache.
constexpr size_t kSliceEntries = 256;
constexpr size_t kEntriesPerThreadMin = 1024;  // a thread costs about as much as fifty entries
constexpr unsigned kThreadsWhereSlow = 32;
constexpr std::chrono::microseconds kSlowEntry{20};

template <class Work>
void for_slices(size_t entry_count, unsigned thread_count, const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  const size_t first_end = std::min(entry_count, kSliceEntries);
  work(size_t{0}, first_end);
  if (first_end == entry_count) return;
  const bool is_slow = std::chrono::steady_clock::now() - start > kSliceEntries * kSlowEntry;
  const size_t useful = entry_count / (is_slow ? kSliceEntries : kEntriesPerThreadMin);
  const size_t team = std::min<size_t>(is_slow ? kThreadsWhereSlow : thread_count, useful);
  std::atomic<size_t> next = first_end;
  const auto take_slices = [&] {
    for (size_t begin = next.fetch_add(kSliceEntries); begin < entry_count; begin = next.fetch_add(kSliceEntries)) {
      work(begin, std::min(entry_count, begin + kSliceEntries));
    }
  };
  std::vector<std::thread> others;
  try {
    while (others.size() + 1 < team) others.emplace_back(take_slices);
  } catch (const std::system_error&) {  // a limit on threads: those that are there do it
  }
  take_slices();
  for (std::thread& other : others) other.join();
}

}  // namespace

EntryKind entry_kind_of_mode(uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return EntryKind::kRegular;
    case S_IFDIR:
      return EntryKind::kDirectory;
    case S_IFLNK:
      return EntryKind::kSymlink;
    case S_IFIFO:
      return EntryKind::kFifo;
    case S_IFSOCK:
      return EntryKind::kSocket;
    case S_IFCHR:
      return EntryKind::kCharDevice;
    case S_IFBLK:
      return EntryKind::kBlockDevice;
    default:
      return EntryKind::kUnknown;
  }
}

std::string_view to_string(EntryKind kind) {
  switch (kind) {
    case EntryKind::kRegular:
      return "regular file";
    case EntryKind::kDirectory:
      return "directory";
    case EntryKind::kSymlink:
      return "symlink";
    case EntryKind::kFifo:
      return "fifo";
    case EntryKind::kSocket:
      return "socket";
    case EntryKind::kCharDevice:
      return "character device";
    case EntryKind::kBlockDevice:
      return "block device";
    case EntryKind::kUnknown:
      break;
  }
  return "unknown";
}

// ---- DirectoryListing ----

DirectoryEntry DirectoryListing::entry(size_t entry_index) const {
  PIECEWORK_CHECK(entry_index < records_.size());
  const Record& record = records_[entry_index];
  DirectoryEntry entry;
  entry.name = name_of(record);
  entry.kind = record.kind;
  entry.sys_errno = record.sys_errno;
  if (record.sys_errno == 0) entry.stamp = record.stamp;
  entry.link_target = {names_.data() + record.target_offset, record.target_size_bytes};
  return entry;
}

uint64_t DirectoryListing::memory_bytes() const { return records_.capacity() * sizeof(Record) + names_.capacity(); }

void DirectoryListing::clear() {
  records_.clear();
  names_.clear();
}

std::string_view DirectoryListing::name_of(const Record& record) const {
  return {names_.data() + record.name_offset, record.name_size_bytes};
}

uint64_t DirectoryListing::append_text(std::string_view text) {
  const uint64_t offset = names_.size();
  names_.insert(names_.end(), text.begin(), text.end());
  names_.push_back('\0');  // names go to system calls as they stand here
  return offset;
}

size_t DirectoryListing::common_prefix_bytes() const {
  if (records_.empty()) return 0;
  const std::string_view first = name_of(records_.front());
  size_t common_bytes = first.size();
  for (const Record& record : records_) {
    const std::string_view name = name_of(record).substr(0, common_bytes);
    common_bytes = static_cast<size_t>(std::mismatch(name.begin(), name.end(), first.begin()).first - name.begin());
    if (common_bytes == 0) break;
  }
  return common_bytes;
}

// Names of one directory like to begin alike ("IMG_20240101..."): eight bytes from where they begin to differ order
// nearly all pairs without a look at the names.
void DirectoryListing::sort() {
  const size_t skipped_bytes = common_prefix_bytes();
  std::vector<SortKey> keys(records_.size());
  for (uint32_t i = 0; i < keys.size(); ++i) keys[i] = {key_of(name_of(records_[i]).substr(skipped_bytes)), i};
  std::sort(keys.begin(), keys.end(), [&](const SortKey& a, const SortKey& b) {
    if (a.key != b.key) return a.key < b.key;
    // char_traits<char> compares bytes as unsigned.
    return name_of(records_[a.record_index]) < name_of(records_[b.record_index]);
  });
  // Moves every record to its place along the cycles of the permutation: no second copy of the list.
  for (uint32_t start = 0; start < keys.size(); ++start) {
    const Record first = records_[start];
    uint32_t hole = start;
    while (keys[hole].record_index != start) {
      const uint32_t next = keys[hole].record_index;
      records_[hole] = records_[next];
      keys[hole].record_index = hole;  // done; a later start there is a cycle of one
      hole = next;
    }
    records_[hole] = first;
    keys[hole].record_index = hole;
  }
}

// ---- DirectoryReader ----

DirectoryReader::DirectoryReader(const File& directory, DirectoryReadLimits limits)
    : directory_(directory), limits_(limits), buffer_(std::make_unique_for_overwrite<char[]>(kBufferBytes)) {
  PIECEWORK_CHECK(limits.entry_count_max > 0 && limits.entry_count_max <= kEntryCountMax);
  ::lseek(directory.fd(), 0, SEEK_SET);
}

Status DirectoryReader::next(DirectoryListing& listing) {
  listing.clear();
  while (listing.records_.size() < limits_.entry_count_max) {
    if (buffer_offset_bytes_ == buffer_end_bytes_) {
      if (at_end_) break;
      PIECEWORK_TRY(fill_buffer());
    }
    append_buffered(listing);
  }
  examine(listing);
  listing.sort();
  return {};
}

Status DirectoryReader::fill_buffer() {
  ssize_t result = 0;
  do {
    result = ::getdents64(directory_.fd(), buffer_.get(), kBufferBytes);
  } while (result < 0 && errno == EINTR);
  if (result < 0) {
    return tl::unexpected<Error>(errno_error_of(OperationKind::kRead, errno, directory_.side(), directory_.path()));
  }
  buffer_offset_bytes_ = 0;
  buffer_end_bytes_ = static_cast<size_t>(result);
  at_end_ = result == 0;
  return {};
}

void DirectoryReader::append_buffered(DirectoryListing& listing) {
  while (buffer_offset_bytes_ < buffer_end_bytes_ && listing.records_.size() < limits_.entry_count_max) {
    // The kernel keeps records aligned and inside the buffer.
    const auto* raw = reinterpret_cast<const struct dirent64*>(buffer_.get() + buffer_offset_bytes_);
    buffer_offset_bytes_ += raw->d_reclen;
    const std::string_view name(raw->d_name);
    if (name == "." || name == "..") continue;
    DirectoryListing::Record record;
    record.name_offset = listing.append_text(name);
    record.name_size_bytes = static_cast<uint16_t>(name.size());
    record.kind = entry_kind_of_dirent(raw->d_type);
    record.stamp.inode = raw->d_ino;
    listing.records_.push_back(record);
  }
}

// One statx per entry that needs it, in the order of the inodes: on a cold disk the inode tables are then read in one
// sweep instead of in the order of the directory's hash.
void DirectoryReader::examine(DirectoryListing& listing) const {
  std::vector<SortKey> order(listing.records_.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = {listing.records_[i].stamp.inode, i};
  std::sort(order.begin(), order.end(), [](const SortKey& a, const SortKey& b) { return a.key < b.key; });
  for_slices(order.size(), limits_.thread_count, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) examine_entry(listing, order[i].record_index);
  });
  if (!limits_.with_stat) return;
  for (const SortKey& next : order) {  // these append to the names, one after the other
    const DirectoryListing::Record& record = listing.records_[next.record_index];
    if (record.kind == EntryKind::kSymlink && record.sys_errno == 0) read_link(listing, next.record_index);
  }
}

void DirectoryReader::examine_entry(DirectoryListing& listing, size_t record_index) const {
  DirectoryListing::Record& record = listing.records_[record_index];
  if (!limits_.with_stat && record.kind != EntryKind::kUnknown) return;
  struct statx status;
  const char* name = listing.names_.data() + record.name_offset;
  if (::statx(directory_.fd(), name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &status) != 0) {
    record.sys_errno = errno;
    return;
  }
  record.stamp = stamp_of(status);
  record.kind = entry_kind_of_mode(status.stx_mode);  // what is there now, not what was when it was listed
}

void DirectoryReader::read_link(DirectoryListing& listing, size_t record_index) const {
  DirectoryListing::Record& record = listing.records_[record_index];
  std::vector<char> target(std::min<uint64_t>(record.stamp.size_bytes, PATH_MAX) + 1);
  for (;;) {
    const char* name = listing.names_.data() + record.name_offset;
    const ssize_t result = ::readlinkat(directory_.fd(), name, target.data(), target.size());
    if (result < 0) {
      record.sys_errno = errno;
      return;
    }
    const auto target_bytes = static_cast<size_t>(result);
    if (target_bytes < target.size()) {  // else it may have been cut
      record.target_size_bytes = static_cast<uint32_t>(target_bytes);
      record.target_offset = listing.append_text({target.data(), target_bytes});
      return;
    }
    if (target.size() >= kLinkTargetBytesMax) {
      record.sys_errno = ENAMETOOLONG;
      return;
    }
    target.resize(2 * target.size());
  }
}

Result<DirectoryListing> read_directory(const File& directory, unsigned thread_count) {
  DirectoryListing listing;
  PIECEWORK_TRY(DirectoryReader(directory, {.thread_count = thread_count}).next(listing));
  return listing;
}

}  // namespace piecework::io
