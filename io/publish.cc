#include "io/publish.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "io/scratch_file.h"
#include "kernels/base/check.h"
#include "kernels/base/kill_point.h"

namespace piecework::io {
namespace {

constexpr mode_t kFileMode = 0644;
// How often a temporary may vanish or be replaced between open and lock before something else is wrong.
constexpr int kOpenAttemptCountMax = 16;

tl::unexpected<Error> fail_destination(int sys_errno, std::string_view verb, std::string_view path) {
  return fail_errno(sys_errno, ErrorSide::kDestination, fmt::format("{} '{}'", verb, printable(path)));
}

// An open-file-description lock: it belongs to this descriptor, not to the process, and goes with it, however it goes;
// after the last operation in flight, which a killed process may leave behind. Taken whole, so no descriptor of another
// attempt has a share in it; then one byte is shared with the other descriptors of this attempt (reopen_direct).
// Returns false where another descriptor holds it.
Result<bool> try_lock(int fd, std::string_view path) {
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) {
    lock.l_type = F_RDLCK;
    lock.l_start = kWritersLockByte;
    lock.l_len = 1;
    if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return true;
  }
  if (errno == EAGAIN || errno == EACCES) return false;
  return fail_destination(errno, "locking (the output's file system must support locks)", path);
}

enum class Found : uint8_t {
  kUsable,
  kGone,       // removed or replaced between open and lock
  kAbandoned,  // bytes of an earlier attempt
  kPublished,  // an earlier attempt stopped between link and unlink: this *is* the published file
};

Result<Found> examine_temporary(int directory_fd, const std::string& name, int fd, std::string_view path) {
  struct stat opened;
  if (::fstat(fd, &opened) != 0) return fail_destination(errno, "examining", path);
  if (!S_ISREG(opened.st_mode)) {
    return fail(ErrorCode::kConflict, ErrorSide::kDestination,
                fmt::format("'{}' is not a regular file: remove it", printable(path)));
  }
  struct stat named;
  if (::fstatat(directory_fd, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return Found::kGone;
    return fail_destination(errno, "examining", path);
  }
  if (named.st_ino != opened.st_ino || named.st_dev != opened.st_dev) return Found::kGone;
  if (opened.st_nlink > 1) return Found::kPublished;
  return opened.st_size > 0 ? Found::kAbandoned : Found::kUsable;
}

}  // namespace

std::string temporary_name(std::string_view what) { return fmt::format(".piecework-{}.tmp", what); }

Result<std::optional<PublishedFile>> PublishedFile::open(const OutputDirectory& directory, std::string_view what,
                                                         Mode mode) {
  const std::string name = temporary_name(what);
  PIECEWORK_TRY(check_file_name(name));
  const std::string path = directory.path_of(name);
  for (int attempt = 0; attempt < kOpenAttemptCountMax; ++attempt) {
    UniqueFd fd(
        ::openat(directory.fd(), name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, kFileMode));
    if (!fd.is_open()) return fail_destination(errno, "creating", path);
    PIECEWORK_ASSIGN(const bool is_locked, try_lock(fd.get(), path));
    if (!is_locked) return std::nullopt;
    PIECEWORK_ASSIGN(const Found found, examine_temporary(directory.fd(), name, fd.get(), path));
    if (found == Found::kUsable || (found == Found::kAbandoned && mode == Mode::kAdopt)) {
      // Readers of a published file should not depend on the umask of whoever packed it.
      if (::fchmod(fd.get(), kFileMode) != 0) return fail_destination(errno, "setting the mode of", path);
      return PublishedFile(&directory, std::move(fd), name);
    }
    // Never truncated: after a crash between link and unlink the bytes belong to the published name too.
    if (found != Found::kGone) PIECEWORK_TRY(directory.remove(name));
  }
  return fail(ErrorCode::kConflict, ErrorSide::kDestination,
              fmt::format("'{}' is replaced again and again by somebody else", printable(path)));
}

PublishedFile::PublishedFile(const OutputDirectory* directory, UniqueFd fd, std::string temporary_name)
    : directory_(directory),
      fd_(std::move(fd)),
      temporary_name_(std::move(temporary_name)),
      path_(directory->path_of(temporary_name_)),
      owns_name_(true) {}

PublishedFile::PublishedFile(PublishedFile&& other) noexcept
    : directory_(std::exchange(other.directory_, nullptr)),
      fd_(std::move(other.fd_)),
      temporary_name_(std::move(other.temporary_name_)),
      path_(std::move(other.path_)),
      owns_name_(std::exchange(other.owns_name_, false)),
      is_poisoned_(other.is_poisoned_),
      keep_temporary_(other.keep_temporary_) {}

PublishedFile& PublishedFile::operator=(PublishedFile&& other) noexcept {
  if (this != &other) {
    close_and_remove();
    directory_ = std::exchange(other.directory_, nullptr);
    fd_ = std::move(other.fd_);
    temporary_name_ = std::move(other.temporary_name_);
    path_ = std::move(other.path_);
    owns_name_ = std::exchange(other.owns_name_, false);
    is_poisoned_ = other.is_poisoned_;
    keep_temporary_ = other.keep_temporary_;
  }
  return *this;
}

PublishedFile::~PublishedFile() { close_and_remove(); }

// While the lock is held, so that what is removed is this attempt's file and no other's.
void PublishedFile::remove_name() noexcept {
  if (owns_name_) ::unlinkat(directory_->fd(), temporary_name_.c_str(), 0);
  owns_name_ = false;
}

void PublishedFile::close_and_remove() noexcept {
  if (!keep_temporary_) remove_name();
  fd_.reset();
}

void PublishedFile::poison() {
  is_poisoned_ = true;
  remove_name();
}

Result<FileStamp> PublishedFile::stamp() const { return stamp_fd(fd(), ErrorSide::kDestination, path_); }

Result<uint64_t> PublishedFile::size_bytes() const {
  PIECEWORK_ASSIGN(const FileStamp found, stamp());
  return found.size_bytes;
}

Result<uint64_t> PublishedFile::allocated_bytes() const {
  constexpr uint64_t kStatBlockBytes = 512;
  struct stat status;
  if (::fstat(fd(), &status) != 0) return fail_destination(errno, "examining", path_);
  return static_cast<uint64_t>(status.st_blocks) * kStatBlockBytes;
}

Status PublishedFile::write(ByteSpan source, uint64_t offset_bytes) {
  return pwrite_full(fd(), source, offset_bytes, ErrorSide::kDestination, path_);
}

Result<size_t> PublishedFile::read(MutableByteSpan target, uint64_t offset_bytes) const {
  return pread_full(fd(), target, offset_bytes, ErrorSide::kDestination, path_);
}

Status PublishedFile::resize(uint64_t size_bytes) {
  if (::ftruncate(fd(), static_cast<off_t>(size_bytes)) == 0) return {};
  return fail_destination(errno, "resizing", path_);
}

Status PublishedFile::reserve(uint64_t size_bytes) {
  if (size_bytes == 0) return {};
  if (::fallocate(fd(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size_bytes)) == 0) return {};
  if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINTR) return {};  // a help, not a promise
  return fail_destination(errno, "reserving room for", path_);
}

Status PublishedFile::sync_data() {
  if (::fdatasync(fd()) == 0) return {};
  const int sys_errno = errno;
  poison();
  return fail_destination(sys_errno, "syncing", path_);
}

Status PublishedFile::full_sync() {
  if (is_poisoned_) {
    return fail(
        ErrorCode::kIo, ErrorSide::kDestination,
        fmt::format("'{}' failed to sync before: its bytes cannot be trusted, write it anew", printable(path_)));
  }
  if (::fsync(fd()) == 0) return {};
  const int sys_errno = errno;
  poison();
  return fail_destination(sys_errno, "syncing", path_);
}

Result<CommitOutcome> PublishedFile::commit(std::string_view final_name) {
  PIECEWORK_CHECK(fd_.is_open());
  PIECEWORK_TRY(check_file_name(final_name));
  kill_point("publish.before_sync");
  PIECEWORK_TRY(full_sync());
  kill_point("publish.after_sync");
  PIECEWORK_ASSIGN(const CommitOutcome outcome, link_to(std::string(final_name)));
  if (outcome == CommitOutcome::kAlreadyExists) return outcome;
  kill_point("publish.after_link");
  // From here the final name stands for the complete file. A temporary name that cannot be removed is a second name of
  // it, which the next attempt recognises by its link count.
  const Status removed = owns_name_ ? directory_->remove(temporary_name_) : Status{};
  owns_name_ = false;
  fd_.reset();
  PIECEWORK_TRY(removed);
  kill_point("publish.after_unlink");
  PIECEWORK_TRY(directory_->sync());
  kill_point("publish.after_directory_sync");
  return outcome;
}

Result<CommitOutcome> PublishedFile::link_to(const std::string& final_name) {
  const int directory_fd = directory_->fd();
  if (::linkat(directory_fd, temporary_name_.c_str(), directory_fd, final_name.c_str(), 0) == 0) {
    return CommitOutcome::kPublished;
  }
  if (errno == EEXIST) return CommitOutcome::kAlreadyExists;
  if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK) {
    return fail_destination(errno, "publishing", directory_->path_of(final_name));
  }
  // No hard links here (FAT, some network and user-space file systems): a rename that replaces nothing is as good.
  if (::renameat2(directory_fd, temporary_name_.c_str(), directory_fd, final_name.c_str(), RENAME_NOREPLACE) == 0) {
    owns_name_ = false;
    return CommitOutcome::kPublished;
  }
  if (errno == EEXIST) return CommitOutcome::kAlreadyExists;
  return fail_destination(errno, "publishing (the file system has neither hard links nor RENAME_NOREPLACE)",
                          directory_->path_of(final_name));
}

Status PublishedFile::take_name_of(PublishedFile& other) {
  PIECEWORK_CHECK(owns_name_ && other.owns_name_ && directory_ == other.directory_);
  if (::renameat(directory_->fd(), temporary_name_.c_str(), directory_->fd(), other.temporary_name_.c_str()) != 0) {
    return fail_destination(errno, "renaming", path_);
  }
  other.owns_name_ = false;
  temporary_name_ = other.temporary_name_;
  path_ = other.path_;
  return {};
}

Status PublishedFile::discard() {
  PIECEWORK_CHECK(fd_.is_open());
  Status status = owns_name_ ? directory_->remove(temporary_name_) : Status{};
  owns_name_ = false;
  fd_.reset();
  return status;
}

Result<PublishedFile> open_unshared(const OutputDirectory& directory, std::string_view what) {
  constexpr int kAttemptsMax = 1000;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    PIECEWORK_ASSIGN(std::optional<PublishedFile> file,
                     PublishedFile::open(directory, fmt::format("{}-{}", what, attempt), PublishedFile::Mode::kFresh));
    if (file) return std::move(*file);
  }
  return fail(ErrorCode::kConflict, ErrorSide::kDestination,
              fmt::format("{} attempts are at work in '{}' already", kAttemptsMax, printable(directory.path())));
}

Result<CommitOutcome> publish_bytes(const OutputDirectory& directory, std::string_view name, ByteSpan bytes,
                                    std::string_view what) {
  PIECEWORK_ASSIGN(std::optional<PublishedFile> file,
                   PublishedFile::open(directory, what, PublishedFile::Mode::kFresh));
  if (!file) {
    return fail(ErrorCode::kConflict, ErrorSide::kDestination,
                fmt::format("another process is writing '{}' right now", printable(directory.path_of(name))));
  }
  PIECEWORK_TRY(file->write(bytes, 0));
  return file->commit(name);
}

}  // namespace piecework::io
