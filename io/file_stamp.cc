#include "io/file_stamp.h"

#include <fmt/format.h>
#include <sys/sysmacros.h>

namespace piecework::io {

int64_t nanoseconds_of(int64_t seconds, uint32_t nanoseconds) {
  constexpr int64_t kPerSecond = 1'000'000'000;
  int64_t total = 0;
  if (__builtin_mul_overflow(seconds, kPerSecond, &total) ||
      __builtin_add_overflow(total, static_cast<int64_t>(nanoseconds), &total)) {
    return seconds < 0 ? INT64_MIN : INT64_MAX;
  }
  return total;
}

FileStamp stamp_of(const struct statx& status) {
  return {
      .size_bytes = status.stx_size,
      .mtime_ns = nanoseconds_of(status.stx_mtime.tv_sec, status.stx_mtime.tv_nsec),
      .ctime_ns = nanoseconds_of(status.stx_ctime.tv_sec, status.stx_ctime.tv_nsec),
      .inode = status.stx_ino,
      .device = gnu_dev_makedev(status.stx_dev_major, status.stx_dev_minor),
      .mode = status.stx_mode,
  };
}

std::string describe_change(const FileStamp& before, const FileStamp& after) {
  std::string text;
  const auto add = [&text](std::string_view change) {
    if (!text.empty()) text += ", ";
    text += change;
  };
  if (before.size_bytes != after.size_bytes) {
    add(fmt::format("size {} -> {} bytes", before.size_bytes, after.size_bytes));
  }
  if (before.mtime_ns != after.mtime_ns) add(fmt::format("mtime {} -> {} ns", before.mtime_ns, after.mtime_ns));
  if (before.inode != after.inode || before.device != after.device) add("replaced by another file (inode)");
  if (before.mode != after.mode) add(fmt::format("mode {:o} -> {:o}", before.mode, after.mode));
  if (before.ctime_ns != after.ctime_ns) add("ctime changed");
  return text;
}

}  // namespace piecework::io
