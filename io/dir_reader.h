// Reads one directory: names, kinds, sizes and times, sorted by the bytes of the name.
//
// Nothing but the directory itself is opened: an entry's kind comes from getdents64(2), the rest from statx(2), a
// symlink's target from readlinkat(2). A large listing is examined by several threads, a slow one by many: a cold disk
// then has as many inodes under way. Walking a tree is the caller's loop, with its own stack. Entries that vanish or
// cannot be examined in between are reported as they stand in the list and end nothing.
//
// A listing keeps 80 bytes and the name per entry; a directory too large for the caller's memory is read in
// several listings, each sorted by itself, which the caller merges.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "io/file.h"
#include "io/file_stamp.h"
#include "kernels/base/error.h"

namespace piecework::io {

enum class EntryKind : uint8_t {
  kUnknown,  // could not be examined, see sys_errno
  kRegular,
  kDirectory,
  kSymlink,
  kFifo,
  kSocket,
  kCharDevice,
  kBlockDevice,
};

EntryKind entry_kind_of_mode(uint32_t mode);
std::string_view to_string(EntryKind kind);  // "regular file", "directory", ...

struct DirectoryEntry {
  std::string_view name;  // any bytes but '/' and NUL
  EntryKind kind = EntryKind::kUnknown;
  FileStamp stamp;               // zero where sys_errno != 0
  std::string_view link_target;  // of a symlink; any length the file system gives
  int sys_errno = 0;             // ENOENT: vanished after it was listed; EACCES: may not be examined; ...
};

// Entries sorted by name. Thread-compatible. Views into it live as long as the listing is not changed.
class DirectoryListing {
 public:
  size_t entry_count() const { return records_.size(); }
  // REQUIRES: entry_index < entry_count().
  DirectoryEntry entry(size_t entry_index) const;
  uint64_t memory_bytes() const;

 private:
  friend class DirectoryReader;
  struct Record {
    uint64_t name_offset = 0;
    uint64_t target_offset = 0;
    FileStamp stamp;
    uint32_t target_size_bytes = 0;
    int32_t sys_errno = 0;
    uint16_t name_size_bytes = 0;
    EntryKind kind = EntryKind::kUnknown;
  };
  static_assert(sizeof(Record) == 80);

  void clear();
  std::string_view name_of(const Record& record) const;
  uint64_t append_text(std::string_view text);  // returns its offset in names_
  size_t common_prefix_bytes() const;
  void sort();

  std::vector<Record> records_;
  std::vector<char> names_;  // names and symlink targets, each followed by NUL
};

// 80 GB of records: nobody gets here, but indices of entries are kept in 32 bits.
inline constexpr uint64_t kEntryCountMax = uint64_t{1} << 30;

struct DirectoryReadLimits {
  uint64_t entry_count_max = kEntryCountMax;  // entries per listing; 1 to kEntryCountMax
  bool with_stat = true;                      // false: names and kinds only; stamps stay zero
  unsigned thread_count = 1;                  // that examine a large listing while inodes are in the cache
};

// Thread-compatible. "." and ".." are left out.
class DirectoryReader {
 public:
  // Starts at the beginning. `directory` must be open with read access and outlive the reader; its position is moved.
  explicit DirectoryReader(const File& directory, DirectoryReadLimits limits = {});

  // Replaces `listing` by the next entries; an empty listing means the end.
  // Errors: those of getdents64, with the directory's side and path. Entries' own errors are in the listing.
  Status next(DirectoryListing& listing);

 private:
  Status fill_buffer();
  void append_buffered(DirectoryListing& listing);
  void examine(DirectoryListing& listing) const;
  void examine_entry(DirectoryListing& listing, size_t record_index) const;
  void read_link(DirectoryListing& listing, size_t record_index) const;

  const File& directory_;
  DirectoryReadLimits limits_;
  std::unique_ptr<char[]> buffer_;
  size_t buffer_offset_bytes_ = 0;
  size_t buffer_end_bytes_ = 0;
  bool at_end_ = false;
};

// The whole directory at once.
Result<DirectoryListing> read_directory(const File& directory, unsigned thread_count = 1);

}  // namespace piecework::io
