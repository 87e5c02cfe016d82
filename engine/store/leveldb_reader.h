// The only user of leveldb: a database that belongs to somebody else, read without a change to it.
//
// leveldb writes whenever it opens a database. So it is given a directory of its own in which the tables, which are
// never changed in place, are symlinks and the small files (CURRENT, MANIFEST, logs) are copies; everything leveldb
// writes goes there, and the directory is removed in the end. While a reader lives it holds the shared lock that
// goleveldb's own readers take, so no daemon can start under it. Databases of goleveldb (kubo) and of leveldb
// are the same on disk.
//
// What leveldb reads is checked by its checksums; a file that lies about its lengths ends in an error.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "io/file.h"
#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

struct leveldb_t;

namespace piecework::engine {

// Thread-compatible. Movable.
class LeveldbReader {
 public:
  using Visitor = std::function<Status(std::string_view key, ByteSpan value)>;

  // Opens the database in `directory_path`; what leveldb writes goes to a new directory in `scratch_directory`, which
  // must exist. Errors, side kSource: kUnavailable where another process has the database open or its lock cannot be
  // had; kNotFound; kUnsupported for a directory that is no leveldb; kCorrupt. Side kDestination: of the scratch
  // directory.
  static Result<LeveldbReader> open(const std::string& directory_path, const std::string& scratch_directory);

  // The value of `key`; none where there is none. Errors: kCorrupt, kIo.
  Result<std::optional<std::string>> get(std::string_view key) const;
  // Visits the entries whose keys begin with `prefix`, in the order of their bytes; views are valid during the call.
  // Errors: kCorrupt, kIo; the visitor's own, which ends the visit.
  Status visit_prefix(std::string_view prefix, const Visitor& visit) const;

 private:
  struct Close {
    void operator()(leveldb_t* database) const;
  };
  // Removes the directory with everything in it.
  struct RemoveDirectory {
    void operator()(const std::string* path) const;
  };
  using ScratchDirectory = std::unique_ptr<const std::string, RemoveDirectory>;

  LeveldbReader() = default;
  Status take_lock(const io::File& directory);
  Status make_directory(const std::string& scratch_directory);
  Status populate(const io::File& directory) const;
  Status open_database();
  Error error(std::string_view what, std::string_view leveldb_message) const;

  std::string source_path_;
  io::File lock_;
  ScratchDirectory directory_;
  std::unique_ptr<leveldb_t, Close> database_;  // closed before its directory goes
};

}  // namespace piecework::engine
