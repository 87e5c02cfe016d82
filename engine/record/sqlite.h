// The only user of SQLite: statements that are prepared, bound and stepped with Results instead of codes.
//
// Thread rule: a Database and its Statements belong to one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kernels/base/bytes.h"
#include "kernels/base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace piecework::engine {

class Statement {
 public:
  // Parameters count from 1. Bound bytes are copied.
  Statement& bind(int parameter, uint64_t value);
  Statement& bind_blob(int parameter, ByteSpan bytes);
  Statement& bind_text(int parameter, std::string_view text);

  // True: there is a row to read. False: the statement is done and has been reset for its next use.
  Result<bool> step();
  // step() until done, for statements without rows.
  Status run();
  void reset();

  Statement& bind_null(int parameter);
  Statement& bind_signed(int parameter, int64_t value);
  // None is NULL.
  Statement& bind_or_null(int parameter, std::optional<uint64_t> value);
  Statement& bind_or_null(int parameter, std::optional<int64_t> value);
  // Columns count from 0; bytes and text live until the next step.
  bool column_is_null(int column) const;
  uint64_t column_uint64(int column) const;
  int64_t column_int64(int column) const;
  std::optional<uint64_t> column_optional(int column) const;
  ByteSpan column_blob(int column) const;
  std::string_view column_text(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  Statement(sqlite3_stmt* statement, std::string path, ErrorSide side, bool is_shared)
      : statement_(statement), path_(std::move(path)), side_(side), is_shared_(is_shared) {}

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  std::string path_;
  ErrorSide side_;  // the database's
  bool is_shared_;
};

class Database {
 public:
  // An empty file at `path`, made where it is missing; written without a journal and without SQLite's locks: it is the
  // caller's alone, and complete only once the caller has published it.
  static Result<Database> create(const std::string& path);
  // An existing file that nobody changes any more (SQLite's immutable mode: no locks, no journal is looked for).
  static Result<Database> open_immutable(const std::string& path, ErrorSide side);

  // A file that several processes may use: WAL and SQLite's locks, synchronous=FULL, foreign keys. A writer makes the
  // file where it is missing; a reader changes nothing, and reads without locks where it cannot write beside the file.
  // Errors (source of a reader, destination of a writer): also kWaiting where another process writes for longer than
  // `wait_ms`; kCorrupt is always the source's, since what the file holds was lost and not only not written; kNoSpace
  // the destination's, of a reader that needs SQLite's index of the log and cannot make it.
  enum class Access : uint8_t { kRead, kWrite };
  static Result<Database> open_shared(const std::string& path, Access access, int wait_ms);

  // PRAGMA user_version.
  Result<uint64_t> user_version();
  uint64_t last_insert_id() const;
  Status execute(const char* sql);
  Result<Statement> prepare(std::string_view sql);
  // Closes and reports what closing found; the destructor ignores it. REQUIRES: no Statement is left.
  Status close();

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  Database(sqlite3* handle, std::string path, ErrorSide side, bool is_shared = false)
      : handle_(handle), path_(std::move(path)), side_(side), is_shared_(is_shared) {}
  Error error(std::string_view what) const;

  std::unique_ptr<sqlite3, Close> handle_;
  std::string path_;
  ErrorSide side_;
  bool is_shared_;
};

}  // namespace piecework::engine
