#include "engine/record/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>

namespace piecework::engine {
namespace {

// Files are named by URI so that "immutable" can be asked for; every other byte of the path is escaped.
std::string uri_of(const std::string& path, std::string_view query) {
  std::string uri = "file:";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                       c == '/' || c == '-' || c == '_' || c == '.';
    if (plain)
      uri += c;
    else
      uri += fmt::format("%{:02x}", byte);
  }
  return uri.append(query);
}

ErrorCode code_of(int sqlite_code) {
  switch (sqlite_code & 0xFF) {
    case SQLITE_FULL:
    case SQLITE_READONLY:
      return ErrorCode::kNoSpace;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::kCorrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorCode::kWaiting;
    case SQLITE_NOMEM:
      return ErrorCode::kResourceExhausted;
    case SQLITE_CANTOPEN:
      return ErrorCode::kNotFound;
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return ErrorCode::kPermission;
    default:
      return ErrorCode::kIo;
  }
}

// SQLite says only "disk I/O error" where its log or the index of it could not grow; the errno behind it, or 0. SQLite
// 3.40 does not keep that of a COMMIT. A read that fails with EIO it calls a damaged file, and keeps no errno. To be
// called first after the error; errno was 0 before the call that failed.
int system_errno(sqlite3* handle, int sqlite_code) {
  const int last = errno;
  if ((sqlite_code & 0xFF) == SQLITE_CORRUPT && last == EIO) return EIO;
  if ((sqlite_code & 0xFF) != SQLITE_IOERR && (sqlite_code & 0xFF) != SQLITE_CANTOPEN) return 0;
  const int kept = sqlite3_system_errno(handle);
  return kept != 0 ? kept : last;
}

ErrorCode code_of(int sqlite_code, int system) {
  switch (system) {
    case EIO:
      return ErrorCode::kIo;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return ErrorCode::kNoSpace;
    case EMFILE:
    case ENFILE:
      return ErrorCode::kResourceExhausted;
    default:
      return code_of(sqlite_code);
  }
}

// What to do about an error of a file that several processes use.
std::string_view advice(ErrorCode code, int sqlite_code) {
  switch (code) {
    case ErrorCode::kWaiting:
      return ": another process is at work in it: run this again";
    case ErrorCode::kCorrupt:
      return ": it is damaged: make a new one (piecework catalogue rebuild), or take a copy from a backup";
    case ErrorCode::kNoSpace:
      return (sqlite_code & 0xFF) == SQLITE_READONLY ? std::string_view() : ": make room and run this again";
    default:
      return {};
  }
}

Error error_of(sqlite3* handle, const std::string& path, ErrorSide side, bool is_shared, std::string_view what) {
  const int sqlite_code = sqlite3_extended_errcode(handle);
  const int system = system_errno(handle, sqlite_code);
  const ErrorCode code = code_of(sqlite_code, system);
  std::string message = fmt::format("'{}': {}: {}", printable(path), what, sqlite3_errmsg(handle));
  if (system != 0) message += fmt::format(" ({})", std::generic_category().message(system));
  if (is_shared) message += advice(code, sqlite_code);
  // What a shared file held was lost, and not only not written; readers keep an index of the log beside it.
  if (is_shared && code == ErrorCode::kCorrupt) side = ErrorSide::kSource;
  if (is_shared && code == ErrorCode::kNoSpace) side = ErrorSide::kDestination;
  return {code, side, system, std::move(message), {}};
}

Result<sqlite3*> open_handle(const std::string& path, std::string_view query, int flags, ErrorSide side) {
  sqlite3* handle = nullptr;
  errno = 0;
  const int code = sqlite3_open_v2(uri_of(path, query).c_str(), &handle, flags | SQLITE_OPEN_URI, nullptr);
  if (code == SQLITE_OK) return handle;
  const int system = system_errno(handle, code);
  std::string reason = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  if (system != 0) reason += fmt::format(" ({})", std::generic_category().message(system));
  sqlite3_close(handle);
  return fail(code_of(code, system), side, fmt::format("opening '{}': {}", printable(path), reason));
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
void Database::Close::operator()(sqlite3* handle) const { sqlite3_close(handle); }

Statement& Statement::bind(int parameter, uint64_t value) {
  sqlite3_bind_int64(statement_.get(), parameter, static_cast<sqlite3_int64>(value));
  return *this;
}

Statement& Statement::bind_blob(int parameter, ByteSpan bytes) {
  sqlite3_bind_blob64(statement_.get(), parameter, bytes.empty() ? "" : static_cast<const void*>(bytes.data()),
                      bytes.size(), SQLITE_TRANSIENT);
  return *this;
}

Statement& Statement::bind_text(int parameter, std::string_view text) {
  sqlite3_bind_text64(statement_.get(), parameter, text.data() == nullptr ? "" : text.data(), text.size(),
                      SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind_null(int parameter) {
  sqlite3_bind_null(statement_.get(), parameter);
  return *this;
}

Statement& Statement::bind_signed(int parameter, int64_t value) {
  sqlite3_bind_int64(statement_.get(), parameter, value);
  return *this;
}

Statement& Statement::bind_or_null(int parameter, std::optional<uint64_t> value) {
  return value ? bind(parameter, *value) : bind_null(parameter);
}

Statement& Statement::bind_or_null(int parameter, std::optional<int64_t> value) {
  return value ? bind_signed(parameter, *value) : bind_null(parameter);
}

Result<bool> Statement::step() {
  errno = 0;
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  Error error = error_of(sqlite3_db_handle(statement_.get()), path_, side_, is_shared_, "a statement");
  reset();
  return tl::unexpected<Error>(std::move(error));
}

Status Statement::run() {
  for (;;) {
    PIECEWORK_ASSIGN(const bool row, step());
    if (!row) return {};
  }
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

bool Statement::column_is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

int64_t Statement::column_int64(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::optional<uint64_t> Statement::column_optional(int column) const {
  if (column_is_null(column)) return std::nullopt;
  return column_uint64(column);
}

uint64_t Statement::column_uint64(int column) const {
  return static_cast<uint64_t>(sqlite3_column_int64(statement_.get(), column));
}

ByteSpan Statement::column_blob(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  return {static_cast<const uint8_t*>(bytes), static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::string_view Statement::column_text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_.get(), column);
  return {reinterpret_cast<const char*>(text), static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

Result<Database> Database::create(const std::string& path) {
  PIECEWORK_ASSIGN(sqlite3 * handle,
                   open_handle(path, "?nolock=1", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, ErrorSide::kDestination));
  Database database(handle, path, ErrorSide::kDestination);
  PIECEWORK_TRY(
      database.execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA page_size=16384;"
                       "PRAGMA locking_mode=EXCLUSIVE;"));
  return database;
}

Result<Database> Database::open_immutable(const std::string& path, ErrorSide side) {
  PIECEWORK_ASSIGN(sqlite3 * handle, open_handle(path, "?immutable=1", SQLITE_OPEN_READONLY, side));
  return Database(handle, path, side);
}

Result<Database> Database::open_shared(const std::string& path, Access access, int wait_ms) {
  if (access == Access::kWrite) {
    PIECEWORK_ASSIGN(sqlite3 * handle,
                     open_handle(path, "", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, ErrorSide::kDestination));
    Database database(handle, path, ErrorSide::kDestination, true);
    sqlite3_busy_timeout(handle, wait_ms);
    // The page size is that of a new file.
    PIECEWORK_TRY(
        database.execute("PRAGMA page_size=16384; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
                         "PRAGMA foreign_keys=ON;"));
    return database;
  }
  PIECEWORK_ASSIGN(sqlite3 * handle, open_handle(path, "", SQLITE_OPEN_READONLY, ErrorSide::kSource));
  Database database(handle, path, ErrorSide::kSource, true);
  sqlite3_busy_timeout(handle, wait_ms);
  const Status readable = database.execute("PRAGMA query_only=ON; SELECT count(*) FROM sqlite_schema;");
  if (readable) return database;
  // SQLite keeps an index of the log beside the file, and may or can not here. Without a log there is nothing to keep.
  const int code = sqlite3_errcode(handle) & 0xFF;
  const bool has_no_index =
      code == SQLITE_CANTOPEN || code == SQLITE_READONLY || readable.error().code == ErrorCode::kNoSpace;
  if (!has_no_index) return tl::unexpected<Error>(readable.error());
  struct stat log {};
  if (::stat((path + "-wal").c_str(), &log) == 0 && log.st_size > 0) return tl::unexpected<Error>(readable.error());
  PIECEWORK_ASSIGN(sqlite3 * frozen, open_handle(path, "?immutable=1", SQLITE_OPEN_READONLY, ErrorSide::kSource));
  return Database(frozen, path, ErrorSide::kSource, true);
}

Result<uint64_t> Database::user_version() {
  PIECEWORK_ASSIGN(Statement version, prepare("PRAGMA user_version"));
  PIECEWORK_ASSIGN(const bool row, version.step());
  return row ? version.column_uint64(0) : 0;
}

uint64_t Database::last_insert_id() const {
  return static_cast<uint64_t>(sqlite3_last_insert_rowid(handle_.get()));
}

Error Database::error(std::string_view what) const {
  return error_of(handle_.get(), path_, side_, is_shared_, what);
}

Status Database::execute(const char* sql) {
  errno = 0;
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return tl::unexpected<Error>(error("a statement"));
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  errno = 0;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()), 0, &statement, nullptr);
  if (code != SQLITE_OK) return tl::unexpected<Error>(error("a statement"));
  return Statement(statement, path_, side_, is_shared_);
}

Status Database::close() {
  sqlite3* handle = handle_.release();
  const int code = sqlite3_close(handle);
  if (code == SQLITE_OK) return {};
  return fail(code_of(code), side_, fmt::format("closing '{}': {}", printable(path_), sqlite3_errstr(code)));
}

}  // namespace piecework::engine
