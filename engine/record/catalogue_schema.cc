#include "engine/record/catalogue_schema.h"

#include <fmt/format.h>

#include "engine/record/deal_schema.h"

namespace piecework::engine {
namespace {

constexpr int kReadWaitMs = 5'000;

// Version 1. Its table of deals gave way to those of version 2, which every file gets by the same step.
constexpr char kSchema[] = R"sql(
CREATE TABLE pieces(
  piece INTEGER PRIMARY KEY, cid_v1 TEXT NOT NULL UNIQUE, cid_v2 TEXT NOT NULL, root_cid BLOB NOT NULL,
  payload_bytes INTEGER NOT NULL, padded_bytes INTEGER NOT NULL, block_count INTEGER NOT NULL) STRICT;
CREATE TABLE directories(directory INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE) STRICT;
CREATE TABLE contents(
  content INTEGER PRIMARY KEY, piece INTEGER NOT NULL REFERENCES pieces, kind INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL, car_offset_bytes INTEGER NOT NULL, car_bytes INTEGER NOT NULL, cid BLOB NOT NULL) STRICT;
CREATE TABLE ranges(
  content INTEGER NOT NULL REFERENCES contents, position INTEGER NOT NULL,
  file_offset_bytes INTEGER NOT NULL, file_bytes INTEGER NOT NULL, car_offset_bytes INTEGER NOT NULL,
  car_bytes INTEGER NOT NULL, leaf_bytes INTEGER NOT NULL, section_bytes INTEGER NOT NULL,
  PRIMARY KEY(content, position)) STRICT, WITHOUT ROWID;
CREATE TABLE externals(
  content INTEGER NOT NULL REFERENCES contents, position INTEGER NOT NULL, file_offset_bytes INTEGER NOT NULL,
  file_bytes INTEGER NOT NULL, cid BLOB NOT NULL, PRIMARY KEY(content, position)) STRICT, WITHOUT ROWID;
CREATE TABLE entries(
  directory INTEGER NOT NULL REFERENCES directories, name BLOB NOT NULL,
  content INTEGER NOT NULL REFERENCES contents, PRIMARY KEY(directory, name, content)) STRICT, WITHOUT ROWID;
CREATE TABLE sources(source INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE) STRICT;
CREATE TABLE batches(
  batch_id INTEGER PRIMARY KEY, plan_digest TEXT NOT NULL, batch INTEGER NOT NULL,
  piece INTEGER NOT NULL REFERENCES pieces, file_count INTEGER NOT NULL, external_count INTEGER NOT NULL,
  UNIQUE(plan_digest, batch)) STRICT;
CREATE TABLE batch_sources(
  batch_id INTEGER NOT NULL REFERENCES batches, position INTEGER NOT NULL, source INTEGER NOT NULL REFERENCES sources,
  PRIMARY KEY(batch_id, position)) STRICT, WITHOUT ROWID;
CREATE TABLE skipped(
  batch_id INTEGER NOT NULL REFERENCES batches, position INTEGER NOT NULL, path BLOB NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY(batch_id, position)) STRICT, WITHOUT ROWID;
CREATE TABLE parts(
  batch_id INTEGER NOT NULL REFERENCES batches, position INTEGER NOT NULL, path BLOB NOT NULL,
  item_path BLOB NOT NULL, cid BLOB NOT NULL, PRIMARY KEY(batch_id, position)) STRICT, WITHOUT ROWID;
CREATE TABLE deals(
  deal INTEGER PRIMARY KEY, piece INTEGER NOT NULL REFERENCES pieces, provider TEXT NOT NULL, deal_id INTEGER,
  status TEXT NOT NULL) STRICT;
CREATE INDEX batches_by_piece ON batches(piece);
CREATE INDEX deals_by_piece ON deals(piece);
)sql";

// The last 8 bytes of a CID are its digest's, whatever its version and codec: so one index serves all spellings.
constexpr char kIndexes[] = R"sql(
CREATE INDEX contents_by_digest ON contents(substr(cid, -8));
CREATE INDEX entries_by_content ON entries(content);
CREATE INDEX externals_by_digest ON externals(substr(cid, -8));
)sql";

tl::unexpected<Error> misfit(const std::string& path, std::string_view what) {
  return fail(ErrorCode::kUnsupported, ErrorSide::kConfig, fmt::format("'{}' {}", printable(path), what));
}

Result<uint64_t> read_number(Database& database, std::string_view sql) {
  PIECEWORK_ASSIGN(Statement statement, database.prepare(sql));
  PIECEWORK_ASSIGN(const bool row, statement.step());
  return row ? statement.column_uint64(0) : 0;
}

// The version of a catalogue that this program knows, or 0 for a new file: version 0 with nothing in it.
Result<uint64_t> known_version(Database& database, const std::string& path) {
  PIECEWORK_ASSIGN(const uint64_t version, database.user_version());
  PIECEWORK_ASSIGN(const uint64_t application, read_number(database, "PRAGMA application_id"));
  PIECEWORK_ASSIGN(const uint64_t table_count, read_number(database, "SELECT count(*) FROM sqlite_schema"));
  if (version == 0 && application == 0 && table_count == 0) return 0;
  if (application != kCatalogueApplicationId) return misfit(path, "is a database, but no catalogue");
  if (version >= 1 && version <= kCatalogueVersion) return version;
  return misfit(path, fmt::format("is a catalogue of version {}, this program knows version {}: use the program "
                                  "that made it, or rebuild it from the pieces",
                                  version, kCatalogueVersion));
}

}  // namespace

Result<Database> open_catalogue(const std::string& path, int wait_ms) {
  PIECEWORK_ASSIGN(Database database, Database::open_shared(path, Database::Access::kWrite, wait_ms));
  PIECEWORK_TRY(database.execute("BEGIN IMMEDIATE"));
  PIECEWORK_ASSIGN(const uint64_t version, known_version(database, path));
  if (version == 0) {
    PIECEWORK_TRY(database.execute(kSchema));
    PIECEWORK_TRY(database.execute(kIndexes));
  }
  if (version < 2) PIECEWORK_TRY(database.execute(kDealTables));
  if (version < kCatalogueVersion) {
    const std::string mark = fmt::format("PRAGMA application_id={}; PRAGMA user_version={};", kCatalogueApplicationId,
                                         kCatalogueVersion);
    PIECEWORK_TRY(database.execute(mark.c_str()));
  }
  PIECEWORK_TRY(database.execute("COMMIT"));
  return database;
}

Result<Database> open_catalogue_to_read(const std::string& path) {
  PIECEWORK_ASSIGN(Database database, Database::open_shared(path, Database::Access::kRead, kReadWaitMs));
  PIECEWORK_ASSIGN(const uint64_t version, known_version(database, path));
  if (version == 0) return misfit(path, "is empty: piecework merge fills a catalogue");
  if (version < kCatalogueVersion) {
    return misfit(path, fmt::format("is a catalogue of version {}: piecework merge brings it to version {}", version,
                                    kCatalogueVersion));
  }
  return database;
}

Status drop_catalogue_indexes(Database& database) {
  return database.execute(
      "DROP INDEX contents_by_digest; DROP INDEX entries_by_content; DROP INDEX externals_by_digest;");
}

Status create_catalogue_indexes(Database& database) { return database.execute(kIndexes); }

}  // namespace piecework::engine
