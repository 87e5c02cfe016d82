// See restore_target.h.
#include "io/restore_target.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <vector>

#include "io/dir_reader.h"
#include "io/publish.h"
#include "io/rename.h"
#include "kernels/base/check.h"
#include "kernels/base/kill_point.h"

namespace piecework::io {
namespace {

constexpr mode_t kFileMode = 0666;
constexpr mode_t kDirectoryMode = 0777;
constexpr uint32_t kPermissionBits = 0777;
constexpr std::string_view kTemporaryPrefix = ".piecework-restore-";
constexpr std::string_view kTemporarySuffix = ".tmp";

tl::unexpected<Error> fail_target(int sys_errno, std::string_view verb, std::string_view path) {
  return fail_errno(sys_errno, ErrorSide::kDestination, fmt::format("{} '{}'", verb, printable(path)));
}

std::string path_in(const File& parent, std::string_view name) { return fmt::format("{}/{}", parent.path(), name); }

timespec time_of(const FileTime& time) {
  return {.tv_sec = static_cast<time_t>(time.seconds), .tv_nsec = static_cast<long>(time.nanoseconds)};
}

Status set_metadata_fd(int fd, std::string_view path, const FileMetadata& metadata) {
  if (metadata.mode && ::fchmod(fd, *metadata.mode & kPermissionBits) != 0) {
    return fail_target(errno, "setting the mode of", path);
  }
  if (!metadata.mtime) return {};
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, time_of(*metadata.mtime)};
  if (::futimens(fd, times) != 0) return fail_target(errno, "setting the time of", path);
  return {};
}

}  // namespace

RestoredFile& RestoredFile::operator=(RestoredFile&& other) noexcept {
  discard();
  file_ = std::move(other.file_);
  root_fd_ = other.root_fd_;
  name_ = std::exchange(other.name_, {});
  return *this;
}

void RestoredFile::discard() noexcept {
  if (!file_.is_open() || name_.empty()) return;
  static_cast<void>(::unlinkat(root_fd_, name_.c_str(), 0));
  name_.clear();
}

Status RestoredFile::set_metadata(const FileMetadata& metadata) const {
  return set_metadata_fd(file_.fd(), file_.path(), metadata);
}

bool RestoreTarget::is_temporary_name(std::string_view name) {
  return name.starts_with(kTemporaryPrefix) && name.ends_with(kTemporarySuffix);
}

Result<RestoreTarget> RestoreTarget::open(const std::string& path) {
  PIECEWORK_TRY(OutputDirectory::open_or_create(path));
  PIECEWORK_ASSIGN(File root, open_named_directory(path, ErrorSide::kDestination));
  RestoreTarget target(std::make_shared<const File>(std::move(root)));
  PIECEWORK_TRY(target.take_lock());
  PIECEWORK_TRY(target.look_around());
  return target;
}

// The lock goes with the descriptor.
Status RestoreTarget::take_lock() const {
  if (::flock(root_->fd(), LOCK_EX | LOCK_NB) == 0) return {};
  if (errno == EWOULDBLOCK) {
    return fail(ErrorCode::kWaiting, ErrorSide::kDestination,
                fmt::format("'{}': another process restores into it", printable(root_->path())));
  }
  return fail_target(errno, "locking", root_->path());
}

Status RestoreTarget::look_around() {
  std::vector<std::string> left_over;
  DirectoryReader reader(*root_, {.entry_count_max = 4096, .with_stat = false});
  for (;;) {
    DirectoryListing listing;
    PIECEWORK_TRY(reader.next(listing));
    if (listing.entry_count() == 0) break;
    for (size_t i = 0; i < listing.entry_count(); ++i) {
      const std::string_view name = listing.entry(i).name;
      if (is_temporary_name(name))
        left_over.emplace_back(name);
      else
        was_empty_ = false;
    }
  }
  for (const std::string& name : left_over) {
    if (::unlinkat(root_->fd(), name.c_str(), 0) != 0 && errno != ENOENT) {
      return fail_target(errno, "removing", path_in(*root_, name));
    }
  }
  return {};
}

Result<std::shared_ptr<const File>> RestoreTarget::enter(const File& parent, std::string_view name) const {
  PIECEWORK_TRY(check_file_name(name));
  const std::string text(name);
  if (::mkdirat(parent.fd(), text.c_str(), kDirectoryMode) != 0) {
    if (errno != EEXIST) return fail_target(errno, "making directory", path_in(parent, name));
    struct stat status;
    if (::fstatat(parent.fd(), text.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return fail_target(errno, "looking at", path_in(parent, name));
    }
    if (!S_ISDIR(status.st_mode)) return std::shared_ptr<const File>();
  }
  PIECEWORK_ASSIGN(File opened, open_beneath(parent, name, kOpenDirectory));
  return std::make_shared<const File>(std::move(opened));
}

Result<std::shared_ptr<const File>> RestoreTarget::reopen(std::string_view path) const {
  if (path.empty()) return root_;
  PIECEWORK_ASSIGN(File opened, open_beneath(*root_, path, kOpenDirectory));
  return std::make_shared<const File>(std::move(opened));
}

Result<std::optional<RestoreTarget::Existing>> RestoreTarget::find(const File& parent, std::string_view name) const {
  PIECEWORK_TRY(check_file_name(name));
  const std::string text(name);
  struct stat status;
  if (::fstatat(parent.fd(), text.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return std::nullopt;
    return fail_target(errno, "looking at", path_in(parent, name));
  }
  Existing existing;
  if (S_ISLNK(status.st_mode)) {
    std::string target(PATH_MAX, '\0');
    const ssize_t length_bytes = ::readlinkat(parent.fd(), text.c_str(), target.data(), target.size());
    if (length_bytes < 0) return fail_target(errno, "reading symlink", path_in(parent, name));
    target.resize(static_cast<size_t>(length_bytes));
    existing.link_target = std::move(target);
  } else if (S_ISREG(status.st_mode)) {
    existing.size_bytes = static_cast<uint64_t>(status.st_size);
    PIECEWORK_ASSIGN(existing.file, open_beneath(parent, name));
  }
  return existing;
}

Result<RestoredFile> RestoreTarget::create() const {
  for (;;) {
    std::string name = fmt::format("{}{}{}", kTemporaryPrefix, next_number_->fetch_add(1), kTemporarySuffix);
    const int fd =
        ::openat(root_->fd(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kFileMode);
    if (fd >= 0) {
      File file(UniqueFd(fd), path_in(*root_, name), ErrorSide::kDestination);
      return RestoredFile(std::move(file), root_->fd(), std::move(name));
    }
    if (errno != EEXIST) return fail_target(errno, "making file", path_in(*root_, name));
  }
}

Result<bool> RestoreTarget::publish(RestoredFile& file, const File& parent, std::string_view name) const {
  PIECEWORK_TRY(check_file_name(name));
  PIECEWORK_CHECK(file.is_open());
  kill_point("restore.before_publish");
  const std::string text(name);
  const int sys_errno = rename_without_replacing(root_->fd(), file.name_.c_str(), parent.fd(), text.c_str());
  if (sys_errno == EEXIST) return false;
  if (sys_errno != 0) return fail_target(sys_errno, "naming", path_in(parent, name));
  file.name_.clear();
  return true;
}

Result<bool> RestoreTarget::make_symlink(const File& parent, std::string_view name,
                                         const std::string& link_target) const {
  PIECEWORK_TRY(check_file_name(name));
  if (::symlinkat(link_target.c_str(), parent.fd(), std::string(name).c_str()) == 0) return true;
  if (errno == EEXIST) return false;
  return fail_target(errno, "making symlink", path_in(parent, name));
}

Status RestoreTarget::set_metadata(const File& directory, const FileMetadata& metadata) const {
  return set_metadata_fd(directory.fd(), directory.path(), metadata);
}

Status RestoreTarget::set_symlink_time(const File& parent, std::string_view name, const FileTime& mtime) const {
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, time_of(mtime)};
  if (::utimensat(parent.fd(), std::string(name).c_str(), times, AT_SYMLINK_NOFOLLOW) == 0) return {};
  return fail_target(errno, "setting the time of", path_in(parent, name));
}

Status RestoreTarget::sync() const {
  if (::syncfs(root_->fd()) == 0) return {};
  return fail_target(errno, "syncing", root_->path());
}

Result<uint64_t> RestoreTarget::available_bytes() const {
  struct statvfs status;
  if (::fstatvfs(root_->fd(), &status) != 0) return fail_target(errno, "looking at", root_->path());
  return status.f_bavail * status.f_frsize;
}

}  // namespace piecework::io
