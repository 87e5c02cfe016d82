// A directory that foreign trees are restored into: nothing is written outside it, and nothing in it is overwritten.
//
// Every name is one component, looked up below the descriptor of its directory without following symlinks
// (openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, or O_NOFOLLOW by hand). A file is written under a temporary
// name in the target and takes its own name when it is complete, by a rename that never replaces. So a name that is
// there is complete as far as this process goes; durable it is after sync().
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "io/file.h"
#include "kernels/base/error.h"

namespace piecework::io {

// Seconds and nanoseconds since 1970.
struct FileTime {
  int64_t seconds = 0;
  uint32_t nanoseconds = 0;
};

// Times and permission bits to be set; what is not there stays as it is. Only the lower nine bits of a mode count.
struct FileMetadata {
  std::optional<uint32_t> mode;
  std::optional<FileTime> mtime;
  bool empty() const { return !mode && !mtime; }
};

// A file on its way to its name. Thread-compatible; writes may run concurrently. Removed where it was not published.
class RestoredFile {
 public:
  RestoredFile() = default;
  RestoredFile(RestoredFile&& other) noexcept = default;
  RestoredFile& operator=(RestoredFile&& other) noexcept;
  ~RestoredFile() { discard(); }

  bool is_open() const { return file_.is_open(); }
  Status write(ByteSpan source, uint64_t offset_bytes) const { return file_.write_full(source, offset_bytes); }
  Status set_metadata(const FileMetadata& metadata) const;

 private:
  friend class RestoreTarget;
  RestoredFile(File file, int root_fd, std::string name)
      : file_(std::move(file)), root_fd_(root_fd), name_(std::move(name)) {}
  void discard() noexcept;

  File file_;
  int root_fd_ = -1;
  std::string name_;  // in the target's own directory; "" where it has none any more
};

// Safe for concurrent use, once open. REQUIRES of every `name`: check_file_name() (io/publish.h).
class RestoreTarget {
 public:
  // Opens `path`, made with its missing parents. One process at a time: kWaiting where another one holds its lock.
  // Temporaries that a killed one has left are removed.
  static Result<RestoreTarget> open(const std::string& path);

  const std::shared_ptr<const File>& root() const { return root_; }
  bool was_empty() const { return was_empty_; }
  // Names that an entry of the target's own directory cannot have.
  static bool is_temporary_name(std::string_view name);

  // The directory `name` below `parent`, made where it is missing. None where something else has that name.
  Result<std::shared_ptr<const File>> enter(const File& parent, std::string_view name) const;
  // A directory that enter() opened before; `path` is relative to the target.
  Result<std::shared_ptr<const File>> reopen(std::string_view path) const;
  // What has this name already.
  struct Existing {
    File file;  // open for reading where it is a regular file
    uint64_t size_bytes = 0;
    std::optional<std::string> link_target;  // of a symlink
  };
  Result<std::optional<Existing>> find(const File& parent, std::string_view name) const;

  Result<RestoredFile> create() const;
  // Gives `file` its name; false where the name is taken, and nothing was changed.
  Result<bool> publish(RestoredFile& file, const File& parent, std::string_view name) const;
  // False where the name is taken.
  Result<bool> make_symlink(const File& parent, std::string_view name, const std::string& link_target) const;
  Status set_metadata(const File& directory, const FileMetadata& metadata) const;
  Status set_symlink_time(const File& parent, std::string_view name, const FileTime& mtime) const;
  // Everything that was restored survives a power cut from here on.
  Status sync() const;
  // Bytes an unprivileged writer may still use.
  Result<uint64_t> available_bytes() const;

 private:
  RestoreTarget(std::shared_ptr<const File> root) : root_(std::move(root)) {}
  Status take_lock() const;
  Status look_around();

  std::shared_ptr<const File> root_;
  std::unique_ptr<std::atomic<uint64_t>> next_number_ = std::make_unique<std::atomic<uint64_t>>(0);
  bool was_empty_ = true;
};

}  // namespace piecework::io
