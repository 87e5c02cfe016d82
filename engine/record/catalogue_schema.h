// The catalogue: which piece, and which deal, holds a file? An SQLite database, described in engine/FORMATS.md.
//
// This file is the schema and its versions. Three layers: pieces, directories, contents, ranges, externals and entries
// follow from the pieces alone and can be made again from them; sources, batches and what hangs on these come from
// receipts; the book of deals (deal_schema.h) is the deal driver's, and nothing can make it again. Ids are the
// database's own and mean nothing outside it.
#pragma once

#include <cstdint>
#include <string>

#include "engine/record/sqlite.h"

namespace piecework::engine {

inline constexpr uint64_t kCatalogueVersion = 2;        // PRAGMA user_version
inline constexpr uint64_t kCatalogueApplicationId = 0x50574354;  // "PWCT"

// What an entry of a piece's tree is; stored, so that numbers stay.
enum class ContentKind : uint8_t {
  kFile = 0,
  kSymlink = 1,
  kDirectory = 2,  // or a shard of one, at the top of a part
  kOther = 3,      // no UnixFS: what is below has no paths
  kExternal = 4,   // linked, and not in this piece
};

// Opens the catalogue at `path` for writing, makes it where it is missing or empty, and brings an older one up to
// date. Waits up to `wait_ms` for other writers. Errors: kUnsupported (config) for a newer version or another program's
// database; those of Database::open_shared.
Result<Database> open_catalogue(const std::string& path, int wait_ms);
// Opens one for reading. Errors: also kNotFound (source) where there is none; kUnsupported also for an older version.
Result<Database> open_catalogue_to_read(const std::string& path);

// The indexes that a bulk load makes at its end; they exist in every committed state.
Status drop_catalogue_indexes(Database& database);
Status create_catalogue_indexes(Database& database);

}  // namespace piecework::engine
