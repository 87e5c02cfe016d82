#include "engine/store/car_files.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>

#include "kernels/base/check.h"

namespace piecework::engine {
namespace {

tl::unexpected<Error> changed(const std::string& path, std::string_view what) {
  return tl::unexpected<Error>(Error{ErrorCode::kChanged, ErrorSide::kSource, 0,
                                     fmt::format("'{}' changed since it was scanned: {}", printable(path), what),
                                     path});
}

}  // namespace

void CarFiles::make_room() {
  while (open_.size() >= open_files_max_ && !open_.empty()) {
    files_[open_.front()].file = io::File();
    open_.pop_front();
  }
}

Status CarFiles::add(const std::string& path) {
  make_room();
  PIECEWORK_ASSIGN(io::File file, io::open_named(path, ErrorSide::kSource));
  PIECEWORK_ASSIGN(const io::FileStamp stamp, file.stamp());
  if (!stamp.is_regular()) {
    return tl::unexpected<Error>(Error{
        ErrorCode::kInvalidArgument, ErrorSide::kSource, 0,
        fmt::format("'{}' is not a regular file; a CAR from a pipe is given as - (standard input)", printable(path)),
        path});
  }
  open_.push_back(count());
  files_.push_back({path, stamp, std::move(file), false});
  return {};
}

Status CarFiles::add_open(io::File file, const std::string& name) {
  PIECEWORK_ASSIGN(const io::FileStamp stamp, file.stamp());
  files_.push_back({name, stamp, std::move(file), true});
  return {};
}

Status CarFiles::check_stamp(const Entry& entry, const io::File& file) const {
  PIECEWORK_ASSIGN(const io::FileStamp now, file.stamp());
  const io::FileStamp& before = entry.stamp;
  const bool is_same = now.size_bytes == before.size_bytes && now.mtime_ns == before.mtime_ns &&
                       now.inode == before.inode && now.device == before.device;
  if (is_same) return {};
  return changed(entry.path, io::describe_change(before, now));
}

Result<const io::File*> CarFiles::file(uint32_t index) {
  PIECEWORK_CHECK(index < files_.size());
  Entry& entry = files_[index];
  if (!entry.file.is_open()) {
    make_room();
    PIECEWORK_ASSIGN(io::File file, io::open_named(entry.path, ErrorSide::kSource));
    PIECEWORK_TRY(check_stamp(entry, file));
    entry.file = std::move(file);
    open_.push_back(index);
  }
  return &entry.file;
}

Result<io::File> CarFiles::open_copy(uint32_t index) {
  PIECEWORK_ASSIGN(const io::File* file, this->file(index));
  PIECEWORK_TRY(check_unchanged(index));
  const int copy = fcntl(file->fd(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) {
    return fail_errno(errno, ErrorSide::kSource, fmt::format("opening '{}'", printable(path(index))));
  }
  return io::File(io::UniqueFd(copy), file->path(), file->side());
}

Status CarFiles::read(uint32_t index, MutableByteSpan target, uint64_t offset_bytes) {
  PIECEWORK_ASSIGN(const io::File* file, this->file(index));
  PIECEWORK_ASSIGN(const size_t read_bytes, file->read_full(target, offset_bytes));
  if (read_bytes == target.size()) return {};
  return changed(path(index),
                 fmt::format("ends at {} bytes, had {}", offset_bytes + read_bytes, stamp(index).size_bytes));
}

Status CarFiles::check_unchanged(uint32_t index) {
  PIECEWORK_ASSIGN(const io::File* file, this->file(index));
  return check_stamp(files_[index], *file);
}

}  // namespace piecework::engine
