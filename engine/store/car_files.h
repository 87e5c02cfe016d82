// The CARs of a store as files: a bounded number of them open at a time, each the very version that was scanned.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "io/file.h"
#include "io/file_stamp.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::engine {

// Thread-compatible. Errors of all functions are the source's and name the path; kChanged where the file is not the one
// that add() saw (size, mtime, inode, device; a new mode or link count is no change).
class CarFiles {
 public:
  // At most `open_files_max` (at least 1) of the files with a path are open at a time.
  explicit CarFiles(size_t open_files_max) : open_files_max_(open_files_max) {}

  // Opens the regular file `path` as the next file. kInvalidArgument where it is something else.
  Status add(const std::string& path);
  // The same with a file that is open already and stays open, such as one without a name; `name` is for messages.
  Status add_open(io::File file, const std::string& name);

  uint32_t count() const { return static_cast<uint32_t>(files_.size()); }
  const std::string& path(uint32_t index) const { return files_[index].path; }
  const io::FileStamp& stamp(uint32_t index) const { return files_[index].stamp; }

  // The open file; valid until the next call.
  Result<const io::File*> file(uint32_t index);
  // A descriptor of its own for the caller.
  Result<io::File> open_copy(uint32_t index);
  // Fills `target` from `offset_bytes`. kChanged where the file ends before.
  Status read(uint32_t index, MutableByteSpan target, uint64_t offset_bytes);
  // Whether the open file still is as it was.
  Status check_unchanged(uint32_t index);

 private:
  struct Entry {
    std::string path;
    io::FileStamp stamp;
    io::File file;
    bool stays_open = false;
  };

  Status check_stamp(const Entry& entry, const io::File& file) const;
  void make_room();

  size_t open_files_max_;
  std::vector<Entry> files_;
  std::deque<uint32_t> open_;  // those that may be closed, the oldest first
};

}  // namespace piecework::engine
