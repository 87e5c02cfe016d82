// How files come into the output directory: complete and durable under their final name, or not at all.
//
//   open temporary ".piecework-<what>.tmp" + exclusive OFD lock -> pwrite ... -> fsync
//     -> linkat to the final name, never over an existing one -> unlinkat the temporary -> fsync the directory
//
// After a crash at any point the final name is absent or complete (reliability.md P1). A failed fsync is never retried:
// the kernel may have dropped the dirty pages and would report success the second time; the file is poisoned and its
// temporary removed. Nothing is written outside the directory: names hold no '/', and lookups start at its descriptor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "io/file.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

namespace piecework::io {

// A directory that files are published in. Thread-compatible; const members are safe for concurrent use.
class OutputDirectory {
 public:
  // Opens `path`, made with its missing parents (mode 0755 less the umask); each new directory's parent is synced.
  static Result<OutputDirectory> open_or_create(const std::string& path);
  // Opens `path`, or none where it does not exist. Nothing is made.
  static Result<std::optional<OutputDirectory>> try_open_directory(const std::string& path);
  // The child `name`, made where it is missing.
  Result<OutputDirectory> subdirectory(std::string_view name) const;
  // The child `name`, or none where it does not exist.
  Result<std::optional<OutputDirectory>> try_subdirectory(std::string_view name) const;

  int fd() const { return directory_.fd(); }
  const std::string& path() const { return directory_.path(); }
  std::string path_of(std::string_view name) const;  // for messages

  // Opens a published file for reading; none where the name does not exist. Symlinks are refused.
  Result<std::optional<File>> try_open(std::string_view name) const;
  // The stamp of a name, symlinks not followed; none where it does not exist.
  Result<std::optional<FileStamp>> try_stamp(std::string_view name) const;
  // Removes a file; no error where it does not exist. Not durable before sync().
  Status remove(std::string_view name) const;
  Status sync() const;
  // Bytes an unprivileged writer may still use, by statvfs.
  Result<uint64_t> available_bytes() const;

 private:
  explicit OutputDirectory(File directory) : directory_(std::move(directory)) {}
  File directory_;
};

// Fails with kInvalidArgument unless `name` is one path component: not empty, ".", "..", no '/', no NUL, <= 255 bytes.
Status check_file_name(std::string_view name);

// ".piecework-<what>.tmp"
std::string temporary_name(std::string_view what);

enum class CommitOutcome : uint8_t {
  kPublished,
  kAlreadyExists,  // the final name was there: nothing was changed, and the caller compares
};

// A file on its way to its final name. Thread-compatible: pwrite through fd() may run concurrently (also in a backend).
// Movable. The destructor removes the temporary unless it was committed or kept.
class PublishedFile {
 public:
  enum class Mode : uint8_t {
    kFresh,  // an abandoned temporary of that name is removed first
    kAdopt,  // an abandoned temporary is taken over with its bytes (see size_bytes())
  };
  // None where another attempt, in this process or another, holds the temporary's lock.
  // REQUIRES: `directory` outlives the file and is not moved.
  static Result<std::optional<PublishedFile>> open(const OutputDirectory& directory, std::string_view what, Mode mode);

  PublishedFile(PublishedFile&& other) noexcept;
  PublishedFile& operator=(PublishedFile&& other) noexcept;
  ~PublishedFile();

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }  // of the temporary, for messages
  bool is_poisoned() const { return is_poisoned_; }

  Result<FileStamp> stamp() const;
  Result<uint64_t> size_bytes() const;
  Result<uint64_t> allocated_bytes() const;  // room that it takes on its file system already
  Status write(ByteSpan source, uint64_t offset_bytes);
  Result<size_t> read(MutableByteSpan target, uint64_t offset_bytes) const;
  Status resize(uint64_t size_bytes);  // ftruncate
  // Asks the file system for room up to `size_bytes` without changing the file's size; fails with kNoSpace early.
  // File systems that cannot do so are no error.
  Status reserve(uint64_t size_bytes);

  // fdatasync: a mark up to which the bytes survive a power cut. A failure poisons the file.
  Status sync_data();
  // To be called where a sync submitted elsewhere (a backend) has failed: the file can then only be thrown away.
  // Removes the temporary at once, so that no later attempt adopts bytes that the kernel may have dropped.
  void poison();

  // The temporary stays when this object goes (a stopped run that is to go on later). No effect on a poisoned file.
  void keep_temporary() { keep_temporary_ = true; }

  // fsync, link, unlink, fsync the directory. On kPublished the name is durable, fd() is closed, and the lock is gone.
  // On kAlreadyExists the temporary is still here. On an error nothing was published, except that after a failure of
  // the last steps (removing the temporary, syncing the directory) the complete file stands under its name, and may not
  // do so after a power cut.
  Result<CommitOutcome> commit(std::string_view final_name);
  // Takes the temporary name of `other`, an attempt's own file, which has no name from then on; durable with the next
  // sync of the directory. A crash leaves one of the two under that name.
  Status take_name_of(PublishedFile& other);
  // Removes the temporary now. Errors of the removal are reported here and ignored by the destructor.
  Status discard();

 private:
  PublishedFile(const OutputDirectory* directory, UniqueFd fd, std::string temporary_name);
  Result<CommitOutcome> link_to(const std::string& final_name);
  Status full_sync();
  void remove_name() noexcept;
  void close_and_remove() noexcept;

  const OutputDirectory* directory_ = nullptr;
  UniqueFd fd_;
  std::string temporary_name_;
  std::string path_;
  bool owns_name_ = false;  // temporary_name_ exists and is this file
  bool is_poisoned_ = false;
  bool keep_temporary_ = false;
};

// A fresh temporary for work that several attempts may do at once, each on its own (making a plan): the first of
// "<what>-0", "<what>-1", ... that no other attempt holds. So what a killed attempt has left is replaced by the next
// one and does not pile up. Errors: the destination's; kConflict where 1,000 attempts hold theirs.
Result<PublishedFile> open_unshared(const OutputDirectory& directory, std::string_view what);

// Publishes a small file in one call (a receipt, a plan): open fresh, write, commit. `what` names the temporary; two
// processes that may publish the same name at once give different ones.
// Errors: also kConflict where another process holds that temporary right now.
Result<CommitOutcome> publish_bytes(const OutputDirectory& directory, std::string_view name, ByteSpan bytes,
                                    std::string_view what);

}  // namespace piecework::io
