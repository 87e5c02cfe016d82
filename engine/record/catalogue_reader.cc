#include "engine/record/catalogue_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "engine/codec/piece_cid.h"

namespace piecework::engine {
namespace {

constexpr unsigned kExternalDepthMax = 64;  // of subtrees that lead on to other pieces
constexpr char kContentColumns[] = "c.content, c.piece, c.kind, c.size_bytes, c.car_offset_bytes, c.car_bytes, c.cid";

tl::unexpected<Error> damaged(std::string_view what) {
  return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
              fmt::format("the catalogue is damaged: {}; rebuild it from the pieces", what));
}

Result<Cid> cid_of(ByteSpan bytes) {
  const Result<CidView> cid = decode_cid(bytes);
  if (!cid) return damaged(cid.error().message);
  return Cid(*cid);
}

// The columns of kContentColumns, first in the row.
Result<CatalogueEntry> read_content(const Statement& row) {
  CatalogueEntry entry{.content_id = row.column_uint64(0), .piece_id = row.column_uint64(1)};
  if (row.column_uint64(2) > static_cast<uint64_t>(ContentKind::kExternal)) return damaged("a content of unknown kind");
  entry.kind = static_cast<ContentKind>(row.column_uint64(2));
  entry.size_bytes = row.column_uint64(3);
  entry.car_offset_bytes = row.column_uint64(4);
  entry.car_bytes = row.column_uint64(5);
  PIECEWORK_ASSIGN(entry.cid, cid_of(row.column_blob(6)));
  return entry;
}

std::string joined(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (!path.empty() && !name.empty()) path += '/';
  return path.append(name);
}

struct SplitPath {
  std::string_view directory;
  std::string_view name;
};

SplitPath split(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {{}, path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

// The least text above all that begin with `prefix`; none where there is no such bound.
std::optional<std::string> end_of_prefix(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<uint8_t>(end.back()) == 0xFF) end.pop_back();
  if (end.empty()) return std::nullopt;
  end.back() = static_cast<char>(static_cast<uint8_t>(end.back()) + 1);
  return end;
}

// 20 digits: a part of an item that is larger than a piece.
bool is_part_name(std::string_view name) {
  return name.size() == 20 && name.find_first_not_of("0123456789") == std::string_view::npos;
}

// v0 and v1 spell the same dag-pb block.
bool same_block(const CidView& a, const CidView& b) {
  return a.codec == b.codec && a.multihash.code == b.multihash.code &&
         as_text(a.multihash.digest) == as_text(b.multihash.digest);
}

}  // namespace

Result<CatalogueReader> CatalogueReader::open(const std::string& path) {
  PIECEWORK_ASSIGN(Database database, open_catalogue_to_read(path));
  return CatalogueReader(std::move(database));
}

Result<Statement*> CatalogueReader::statement(std::string_view sql) {
  const auto known = statements_.find(sql);
  if (known != statements_.end()) {
    known->second.reset();
    return &known->second;
  }
  PIECEWORK_ASSIGN(Statement made, database_.prepare(sql));
  return &statements_.emplace(sql, std::move(made)).first->second;
}

Result<std::optional<uint64_t>> CatalogueReader::directory_id(std::string_view path) {
  PIECEWORK_ASSIGN(Statement * find, statement("SELECT directory FROM directories WHERE path=?"));
  PIECEWORK_ASSIGN(const bool row, find->bind_blob(1, as_bytes(path)).step());
  if (!row) return std::nullopt;
  const uint64_t id = find->column_uint64(0);
  find->reset();
  return id;
}

Result<std::vector<CatalogueEntry>> CatalogueReader::entries_at(std::string_view path) {
  std::vector<CatalogueEntry> entries;
  const SplitPath place = split(path);
  PIECEWORK_ASSIGN(const std::optional<uint64_t> directory, directory_id(place.directory));
  if (!directory) return entries;
  PIECEWORK_ASSIGN(Statement * find, statement(fmt::format("SELECT {} FROM entries e JOIN contents c USING(content) "
                                                           "WHERE e.directory=? AND e.name=?",
                                                           kContentColumns)));
  find->bind(1, *directory).bind_blob(2, as_bytes(place.name));
  for (;;) {
    PIECEWORK_ASSIGN(const bool row, find->step());
    if (!row) return entries;
    PIECEWORK_ASSIGN(CatalogueEntry entry, read_content(*find));
    entry.path = path;
    entries.push_back(std::move(entry));
  }
}

Result<bool> CatalogueReader::is_linked_externally(const Cid& cid) {
  PIECEWORK_ASSIGN(Statement * find,
                   statement("SELECT 1 FROM externals WHERE substr(cid, -8)=?1 AND cid=?2 UNION ALL SELECT 1 FROM "
                             "contents WHERE substr(cid, -8)=?1 AND cid=?2 AND kind=4 LIMIT 1"));
  const ByteSpan bytes = cid.bytes();
  find->bind_blob(1, bytes.last(std::min<size_t>(8, bytes.size()))).bind_blob(2, bytes);
  PIECEWORK_ASSIGN(const bool row, find->step());
  find->reset();
  return row;
}

Result<bool> CatalogueReader::is_stand_in(const CatalogueEntry& directory) {
  PIECEWORK_ASSIGN(const std::optional<uint64_t> id, directory_id(directory.path));
  if (!id || directory.kind != ContentKind::kDirectory) return false;
  PIECEWORK_ASSIGN(Statement * find, statement("SELECT e.name, c.cid FROM entries e JOIN contents c USING(content) "
                                               "WHERE e.directory=? AND c.piece=? ORDER BY e.name LIMIT 1"));
  PIECEWORK_ASSIGN(const bool row, find->bind(1, *id).bind(2, directory.piece_id).step());
  if (!row || !is_part_name(as_text(find->column_blob(0)))) return false;
  PIECEWORK_ASSIGN(const Cid first, cid_of(find->column_blob(1)));
  find->reset();
  return is_linked_externally(first);
}

Result<std::vector<CatalogueEntry>> CatalogueReader::find_path(std::string_view path) {
  PIECEWORK_ASSIGN(const std::vector<CatalogueEntry> all, entries_at(path));
  std::vector<CatalogueEntry> found;
  for (const CatalogueEntry& entry : all) {
    PIECEWORK_ASSIGN(const bool stands_in, is_stand_in(entry));
    if (!stands_in) found.push_back(entry);
  }
  if (found.empty()) found = all;
  PIECEWORK_ASSIGN(std::vector<CatalogueEntry> below, find_below_external(path, 0));
  found.insert(found.end(), std::make_move_iterator(below.begin()), std::make_move_iterator(below.end()));
  std::stable_sort(found.begin(), found.end(),
                   [](const CatalogueEntry& a, const CatalogueEntry& b) { return a.piece_id < b.piece_id; });
  return found;
}

// Goes up from `path`: where a directory, or a shard of one, is external, the rest of the path is looked for below the
// places where that block stands.
Result<std::vector<CatalogueEntry>> CatalogueReader::find_below_external(std::string_view path, unsigned depth) {
  std::vector<CatalogueEntry> found;
  if (depth == kExternalDepthMax) return found;
  std::set<std::string> looked_at;
  for (SplitPath place = split(path); !path.empty(); place = split(place.directory)) {
    const std::string_view rest = path.substr(place.directory.empty() ? 0 : place.directory.size() + 1);
    PIECEWORK_ASSIGN(const std::vector<CatalogueEntry> above, entries_at(place.directory));
    std::vector<Cid> links;
    for (const CatalogueEntry& entry : above) {
      if (entry.kind != ContentKind::kDirectory && entry.kind != ContentKind::kExternal) continue;
      PIECEWORK_ASSIGN(const std::vector<Cid> out, links_out_of(entry));
      links.insert(links.end(), out.begin(), out.end());
    }
    for (const Cid& link : links) {
      PIECEWORK_ASSIGN(const std::vector<CatalogueEntry> places, find_cid(link));
      for (const CatalogueEntry& other : places) {
        if (other.kind != ContentKind::kDirectory) continue;
        const std::string target = joined(other.path, rest);
        if (other.path == place.directory || !looked_at.insert(target).second) continue;
        PIECEWORK_ASSIGN(std::vector<CatalogueEntry> here, entries_at(target));
        if (here.empty()) {
          PIECEWORK_ASSIGN(here, find_below_external(target, depth + 1));
        }
        for (CatalogueEntry& entry : here) {
          entry.path = path;
          found.push_back(std::move(entry));
        }
      }
    }
    if (place.directory.empty()) break;
  }
  return found;
}

Status CatalogueReader::visit_prefix(std::string_view prefix, const EntryVisitor& visit) {
  static_assert(static_cast<int>(ContentKind::kFile) == 0 && static_cast<int>(ContentKind::kSymlink) == 1);
  const std::string sql_end = " AND c.kind<=1 ORDER BY d.path, e.name, e.content";
  const std::string head = fmt::format("SELECT {}, d.path, e.name FROM directories d JOIN entries e USING(directory) "
                                       "JOIN contents c USING(content) WHERE ",
                                       kContentColumns);
  const auto run = [&](Statement& rows) -> Status {
    for (;;) {
      PIECEWORK_ASSIGN(const bool row, rows.step());
      if (!row) return {};
      PIECEWORK_ASSIGN(CatalogueEntry entry, read_content(rows));
      entry.path = joined(as_text(rows.column_blob(7)), as_text(rows.column_blob(8)));
      bool is_part = false;
      if (is_part_name(as_text(rows.column_blob(8)))) {
        PIECEWORK_ASSIGN(is_part, is_linked_externally(entry.cid));
      }
      if (!is_part) PIECEWORK_TRY(visit(entry));
    }
  };
  // Names in the prefix's own directory, then whole directories below what the prefix begins.
  const SplitPath place = split(prefix);
  const std::optional<std::string> name_end = end_of_prefix(place.name);
  PIECEWORK_ASSIGN(Statement names, database_.prepare(head + "d.path=? AND e.name>=?" +
                                                      (name_end ? " AND e.name<?" : "") + sql_end));
  names.bind_blob(1, as_bytes(place.directory)).bind_blob(2, as_bytes(place.name));
  if (name_end) names.bind_blob(3, as_bytes(*name_end));
  PIECEWORK_TRY(run(names));
  const std::optional<std::string> path_end = end_of_prefix(prefix);
  PIECEWORK_ASSIGN(Statement below, database_.prepare(head + "d.path>=? AND d.path<>?" +
                                                      (path_end ? " AND d.path<?" : "") + sql_end));
  below.bind_blob(1, as_bytes(prefix)).bind_blob(2, as_bytes(place.directory));
  if (path_end) below.bind_blob(3, as_bytes(*path_end));
  return run(below);
}

Result<std::vector<CatalogueEntry>> CatalogueReader::contents_with(const Cid& cid) {
  PIECEWORK_ASSIGN(Statement * find, statement(fmt::format("SELECT {} FROM contents c WHERE substr(c.cid, -8)=? "
                                                           "ORDER BY c.content",
                                                           kContentColumns)));
  const ByteSpan bytes = cid.bytes();
  find->bind_blob(1, bytes.last(std::min<size_t>(8, bytes.size())));
  std::vector<CatalogueEntry> contents;
  for (;;) {
    PIECEWORK_ASSIGN(const bool row, find->step());
    if (!row) return contents;
    PIECEWORK_ASSIGN(CatalogueEntry content, read_content(*find));
    if (same_block(content.cid.view(), cid.view()) && content.kind != ContentKind::kExternal) {
      contents.push_back(std::move(content));
    }
  }
}

Result<std::vector<CatalogueEntry>> CatalogueReader::find_cid(const Cid& cid) {
  PIECEWORK_ASSIGN(const std::vector<CatalogueEntry> contents, contents_with(cid));
  std::vector<CatalogueEntry> found;
  for (const CatalogueEntry& content : contents) {
    PIECEWORK_ASSIGN(Statement * find, statement("SELECT d.path, e.name FROM entries e JOIN directories d "
                                                 "USING(directory) WHERE e.content=? ORDER BY d.path, e.name"));
    find->bind(1, content.content_id);
    const size_t count_before = found.size();
    for (;;) {
      PIECEWORK_ASSIGN(const bool row, find->step());
      if (!row) break;
      found.push_back(content);
      found.back().path = joined(as_text(find->column_blob(0)), as_text(find->column_blob(1)));
    }
    if (found.size() == count_before) found.push_back(content);
  }
  return found;
}

namespace {

constexpr char kPieceColumns[] = "SELECT piece, cid_v1, cid_v2, root_cid, payload_bytes, padded_bytes, block_count "
                                 "FROM pieces WHERE ";

Result<CataloguePiece> read_piece(const Statement& row) {
  CataloguePiece piece;
  piece.id = row.column_uint64(0);
  piece.cid_v1 = row.column_text(1);
  piece.cid_v2 = row.column_text(2);
  PIECEWORK_ASSIGN(piece.root, cid_of(row.column_blob(3)));
  piece.payload_bytes = row.column_uint64(4);
  piece.padded_bytes = row.column_uint64(5);
  piece.block_count = row.column_uint64(6);
  return piece;
}

}  // namespace

Result<std::optional<CataloguePiece>> CatalogueReader::find_piece(std::string_view piece_cid) {
  PIECEWORK_ASSIGN(const PieceCid parsed, parse_piece_cid(piece_cid));
  PIECEWORK_ASSIGN(Statement * find, statement(fmt::format("{}cid_v1=?", kPieceColumns)));
  PIECEWORK_ASSIGN(const bool row, find->bind_text(1, piece_cid_v1_text(parsed.root)).step());
  if (!row) return std::nullopt;
  PIECEWORK_ASSIGN(CataloguePiece piece, read_piece(*find));
  find->reset();
  if (parsed.version == 2 && parsed.payload_bytes != piece.payload_bytes) return std::nullopt;
  return piece;
}

Result<std::vector<CataloguePiece>> CatalogueReader::pieces_with_root(const Cid& root) {
  std::vector<CataloguePiece> pieces;
  PIECEWORK_ASSIGN(const std::vector<CatalogueEntry> contents, contents_with(root));
  for (const CatalogueEntry& content : contents) {
    PIECEWORK_ASSIGN(CataloguePiece holder, piece(content.piece_id));
    if (same_block(holder.root.view(), root.view())) pieces.push_back(std::move(holder));
  }
  return pieces;
}

Result<CataloguePiece> CatalogueReader::piece(uint64_t piece_id) {
  PIECEWORK_ASSIGN(Statement * find, statement(fmt::format("{}piece=?", kPieceColumns)));
  PIECEWORK_ASSIGN(const bool row, find->bind(1, piece_id).step());
  if (!row) return damaged("a row of a piece that it does not list");
  PIECEWORK_ASSIGN(CataloguePiece piece, read_piece(*find));
  find->reset();
  return piece;
}

Result<std::vector<CatalogueBatch>> CatalogueReader::batches_of(uint64_t piece_id) {
  PIECEWORK_ASSIGN(Statement * find, statement("SELECT plan_digest, batch, batch_id FROM batches WHERE piece=? "
                                               "ORDER BY plan_digest, batch"));
  PIECEWORK_ASSIGN(Statement * names, statement("SELECT s.name FROM batch_sources b JOIN sources s USING(source) WHERE "
                                                "b.batch_id=? ORDER BY b.position"));
  std::vector<CatalogueBatch> batches;
  find->bind(1, piece_id);
  for (;;) {
    PIECEWORK_ASSIGN(const bool row, find->step());
    if (!row) return batches;
    CatalogueBatch& batch = batches.emplace_back();
    batch.plan_digest = find->column_text(0);
    batch.batch = static_cast<uint32_t>(find->column_uint64(1));
    names->bind(1, find->column_uint64(2));
    for (;;) {
      PIECEWORK_ASSIGN(const bool more, names->step());
      if (!more) break;
      batch.source_names.emplace_back(as_text(names->column_blob(0)));
    }
  }
}

}  // namespace piecework::engine
