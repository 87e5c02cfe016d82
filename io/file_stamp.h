// What identifies one version of a file: taken when the plan is made and around each read, compared to tell a change.
//
// Size and mtime are what a plan keeps; inode, device and ctime tell apart a file that was replaced or edited with its
// times put back while it was read.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

namespace piecework::io {

struct FileStamp {
  uint64_t size_bytes = 0;
  int64_t mtime_ns = 0;  // nanoseconds since 1970, negative before
  int64_t ctime_ns = 0;
  uint64_t inode = 0;
  uint64_t device = 0;
  uint32_t mode = 0;  // type and permission bits, as in st_mode

  bool operator==(const FileStamp&) const = default;
  bool is_regular() const { return S_ISREG(mode); }
  bool is_directory() const { return S_ISDIR(mode); }
};

// Seconds outside what 64-bit nanoseconds hold (years 1677 to 2262) are cut to the nearest that fits.
int64_t nanoseconds_of(int64_t seconds, uint32_t nanoseconds);

FileStamp stamp_of(const struct statx& status);

// "size 10 -> 12 bytes, mtime changed", or an empty text where both are one version.
std::string describe_change(const FileStamp& before, const FileStamp& after);

}  // namespace piecework::io
