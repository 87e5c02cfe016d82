#include "engine/store/leveldb_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <leveldb/c.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <vector>

#include "io/dir_reader.h"
#include "io/file_stamp.h"
#include "kernels/base/units.h"

namespace piecework::engine {
namespace {

constexpr std::string_view kLockFile = "LOCK";
constexpr size_t kCopyBytes = kMiB;
constexpr int kOpenTablesMax = 64;  // descriptors, beside those of the pipeline

// Owns what leveldb's C interface hands out.
struct FreeLeveldb {
  void operator()(char* text) const { leveldb_free(text); }
  void operator()(leveldb_options_t* options) const { leveldb_options_destroy(options); }
  void operator()(leveldb_readoptions_t* options) const { leveldb_readoptions_destroy(options); }
  void operator()(leveldb_iterator_t* iterator) const { leveldb_iter_destroy(iterator); }
};
template <class T>
using Owned = std::unique_ptr<T, FreeLeveldb>;

Owned<leveldb_readoptions_t> read_options() {
  Owned<leveldb_readoptions_t> options(leveldb_readoptions_create());
  leveldb_readoptions_set_verify_checksums(options.get(), 1);
  leveldb_readoptions_set_fill_cache(options.get(), 0);
  return options;
}

enum class FileRole : uint8_t { kIgnored, kTable, kCopied };

// The files a database consists of. LOCK, LOG and temporary files are of no use to a reader.
FileRole role_of(std::string_view name) {
  if (name.ends_with(".ldb") || name.ends_with(".sst")) return FileRole::kTable;
  if (name == "CURRENT" || name.starts_with("MANIFEST-") || name.ends_with(".log")) return FileRole::kCopied;
  return FileRole::kIgnored;
}

Status copy_file(const io::File& source, const std::string& target_path) {
  io::UniqueFd fd(::open(target_path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.is_open()) {
    return fail_errno(errno, ErrorSide::kDestination, fmt::format("creating '{}'", printable(target_path)));
  }
  const io::File target(std::move(fd), target_path, ErrorSide::kDestination);
  std::vector<uint8_t> buffer(kCopyBytes);
  for (uint64_t offset_bytes = 0;;) {
    PIECEWORK_ASSIGN(const size_t read_bytes, source.read_full(buffer, offset_bytes));
    PIECEWORK_TRY(target.write_full(ByteSpan(buffer).first(read_bytes), offset_bytes));
    if (read_bytes < buffer.size()) return {};
    offset_bytes += read_bytes;
  }
}

}  // namespace

void LeveldbReader::Close::operator()(leveldb_t* database) const { leveldb_close(database); }

void LeveldbReader::RemoveDirectory::operator()(const std::string* path) const {
  std::error_code ignored;  // a leftover in the scratch directory is no reason to fail
  std::filesystem::remove_all(*path, ignored);
  delete path;
}

Error LeveldbReader::error(std::string_view what, std::string_view leveldb_message) const {
  const ErrorCode code = leveldb_message.starts_with("IO error") ? ErrorCode::kIo : ErrorCode::kCorrupt;
  return {code,
          ErrorSide::kSource,
          0,
          fmt::format("{} '{}': {}", what, printable(source_path_), printable(leveldb_message)),
          {}};
}

// goleveldb holds flock(2) on LOCK, exclusively to write; leveldb a POSIX lock. Neither waits.
Status LeveldbReader::take_lock(const io::File& directory) {
  Result<io::File> lock = io::open_beneath(directory, kLockFile);
  if (!lock && lock.error().code == ErrorCode::kNotFound) return {};  // a copy that somebody made
  if (!lock) return tl::unexpected<Error>(std::move(lock).error());
  struct flock posix_lock = {};
  posix_lock.l_type = F_RDLCK;
  posix_lock.l_whence = SEEK_SET;
  const bool has_writer = ::fcntl(lock->fd(), F_OFD_GETLK, &posix_lock) == 0 && posix_lock.l_type != F_UNLCK;
  if (has_writer || ::flock(lock->fd(), LOCK_SH | LOCK_NB) != 0) {
    const bool is_held = has_writer || errno == EWOULDBLOCK;
    return fail(ErrorCode::kUnavailable, ErrorSide::kSource,
                fmt::format("'{}' {}", printable(lock->path()),
                            is_held ? "is locked: another process (a running daemon?) has the database open"
                                    : "cannot be locked on this file system"));
  }
  lock_ = std::move(*lock);
  return {};
}

Status LeveldbReader::make_directory(const std::string& scratch_directory) {
  std::string path = scratch_directory + "/.piecework-leveldb-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) {
    return fail_errno(errno, ErrorSide::kDestination,
                      fmt::format("making a directory in '{}'", printable(scratch_directory)));
  }
  directory_.reset(new std::string(std::move(path)));
  return {};
}

Status LeveldbReader::populate(const io::File& directory) const {
  std::error_code fault;
  const std::filesystem::path real_path = std::filesystem::canonical(source_path_, fault);
  if (fault) {
    return fail_errno(fault.value(), ErrorSide::kSource, fmt::format("resolving '{}'", printable(source_path_)));
  }
  PIECEWORK_ASSIGN(const io::DirectoryListing listing, io::read_directory(directory));
  bool has_current = false;
  for (size_t i = 0; i < listing.entry_count(); ++i) {
    const io::DirectoryEntry entry = listing.entry(i);
    const FileRole role = role_of(entry.name);
    // What is no regular file leveldb must not open: a fifo would hang it.
    if (role == FileRole::kIgnored || entry.kind != io::EntryKind::kRegular) continue;
    has_current = has_current || entry.name == "CURRENT";
    const std::string target_path = fmt::format("{}/{}", *directory_, entry.name);
    if (role == FileRole::kCopied) {
      PIECEWORK_ASSIGN(const io::File file, io::open_beneath(directory, entry.name));
      PIECEWORK_TRY(copy_file(file, target_path));
    } else if (::symlink((real_path / entry.name).c_str(), target_path.c_str()) != 0) {
      return fail_errno(errno, ErrorSide::kDestination, fmt::format("creating '{}'", printable(target_path)));
    }
  }
  if (has_current) return {};
  return fail(ErrorCode::kUnsupported, ErrorSide::kSource,
              fmt::format("'{}' is no leveldb database: it has no file CURRENT", printable(source_path_)));
}

Status LeveldbReader::open_database() {
  const Owned<leveldb_options_t> options(leveldb_options_create());
  leveldb_options_set_create_if_missing(options.get(), 0);
  leveldb_options_set_paranoid_checks(options.get(), 1);
  leveldb_options_set_max_open_files(options.get(), kOpenTablesMax);
  char* message = nullptr;
  try {
    database_.reset(leveldb_open(options.get(), directory_->c_str(), &message));
  } catch (const std::exception& fault) {  // lengths in its files that no memory holds
    return tl::unexpected<Error>(error("opening the leveldb", fault.what()));
  }
  const Owned<char> owned(message);
  if (message != nullptr) return tl::unexpected<Error>(error("opening the leveldb", message));
  return {};
}

Result<LeveldbReader> LeveldbReader::open(const std::string& directory_path, const std::string& scratch_directory) {
  LeveldbReader reader;
  reader.source_path_ = directory_path;
  PIECEWORK_ASSIGN(const io::File directory, io::open_named_directory(directory_path, ErrorSide::kSource));
  PIECEWORK_TRY(reader.take_lock(directory));
  PIECEWORK_TRY(reader.make_directory(scratch_directory));
  PIECEWORK_TRY(reader.populate(directory));
  PIECEWORK_TRY(reader.open_database());
  return reader;
}

Result<std::optional<std::string>> LeveldbReader::get(std::string_view key) const {
  const Owned<leveldb_readoptions_t> options = read_options();
  char* message = nullptr;
  size_t value_bytes = 0;
  try {
    const Owned<char> value(
        leveldb_get(database_.get(), options.get(), key.data(), key.size(), &value_bytes, &message));
    const Owned<char> owned(message);
    if (message != nullptr) return tl::unexpected<Error>(error("reading the leveldb", message));
    if (value == nullptr) return std::nullopt;
    return std::string(value.get(), value_bytes);
  } catch (const std::exception& fault) {
    return tl::unexpected<Error>(error("reading the leveldb", fault.what()));
  }
}

Status LeveldbReader::visit_prefix(std::string_view prefix, const Visitor& visit) const {
  const Owned<leveldb_readoptions_t> options = read_options();
  try {
    const Owned<leveldb_iterator_t> iterator(leveldb_create_iterator(database_.get(), options.get()));
    for (leveldb_iter_seek(iterator.get(), prefix.data(), prefix.size()); leveldb_iter_valid(iterator.get()) != 0;
         leveldb_iter_next(iterator.get())) {
      size_t key_bytes = 0;
      size_t value_bytes = 0;
      const char* key = leveldb_iter_key(iterator.get(), &key_bytes);
      const char* value = leveldb_iter_value(iterator.get(), &value_bytes);
      if (!std::string_view(key, key_bytes).starts_with(prefix)) break;
      PIECEWORK_TRY(visit({key, key_bytes}, as_bytes({value, value_bytes})));
    }
    char* message = nullptr;
    leveldb_iter_get_error(iterator.get(), &message);
    const Owned<char> owned(message);
    if (message != nullptr) return tl::unexpected<Error>(error("reading the leveldb", message));
  } catch (const std::exception& fault) {
    return tl::unexpected<Error>(error("reading the leveldb", fault.what()));
  }
  return {};
}

}  // namespace piecework::engine
